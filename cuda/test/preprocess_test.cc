// Preprocessing against a plain loop over the formulas of Pillow's Resample.c.
#include <algorithm>

#include "test_support.h"

namespace vtb::test {
namespace {

double bicubic(double x) {
  const double t = std::fabs(x);
  if (t < 1) return ((1.5 * t - 2.5) * t) * t + 1;
  return t < 2 ? (((t - 5) * t + 8) * t - 4) * -0.5 : 0;
}

// The outputs begin ... of an axis of `from` samples resized to `to`; outputs outside are black.
struct Axis {
  int32_t from, taps = 0;
  std::vector<int32_t> first, weights;

  Axis(int32_t from, int32_t to, int32_t begin, int32_t count) : from(from), first(count) {
    const double scale = static_cast<double>(from) / to, widening = std::max(scale, 1.0), support = 2 * widening;
    taps = static_cast<int32_t>(std::ceil(2 * support + 1) + 3) / 4 * 4;
    weights.resize(count * taps);
    for (int32_t i = 0; i < count; ++i) {
      const double centre = (std::clamp(begin + i, 0, to - 1) + 0.5) * scale;
      first[i] = std::max(0, static_cast<int32_t>(centre - support + 0.5));
      const int32_t end = std::min(from, static_cast<int32_t>(centre + support + 0.5));
      if (begin + i < 0 || begin + i >= to) continue;
      double sum = 0;
      for (int32_t x = first[i]; x < end; ++x) sum += bicubic((x - centre + 0.5) / widening);
      for (int32_t x = first[i]; x < end; ++x) {
        const double weight = bicubic((x - centre + 0.5) / widening) / sum * (1 << 22);
        weights[i * taps + x - first[i]] = static_cast<int32_t>(weight + (weight < 0 ? -0.5 : 0.5));
      }
    }
  }

  int32_t count() const { return static_cast<int32_t>(first.size()); }
  int32_t end(int32_t i) const { return std::min(from, first[i] + taps); }
};

template <typename Sample>
int32_t resampled(const Axis& axis, int32_t i, Sample sample) {
  int64_t sum = 1 << 21;
  const int32_t* weights = &axis.weights[i * axis.taps];
  for (int32_t x = axis.first[i]; x < axis.end(i); ++x) sum += int64_t{weights[x - axis.first[i]]} * sample(x);
  return static_cast<int32_t>(std::clamp<int64_t>(sum >> 22, 0, 255));
}

// Device memory for bytes.
class Bytes {
 public:
  explicit Bytes(int64_t count) : address_(vtbe_alloc(count)) {}
  explicit Bytes(const std::vector<uint8_t>& bytes) : Bytes(static_cast<int64_t>(bytes.size())) {
    EXPECT_EQ(vtbe_copy_in(address_, bytes.data(), static_cast<int64_t>(bytes.size())), VTBE_OK) << vtbe_last_error();
  }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  ~Bytes() { EXPECT_EQ(vtbe_free(address_), VTBE_OK) << vtbe_last_error(); }

  Address address() const { return {address_}; }

 private:
  uint64_t address_;
};

struct Case {
  int32_t width, height, pixel_stride, red, green, blue, row_gap;
  int32_t resized_width, resized_height, left, top, out_width, out_height;
};

void check(const Case& s, int32_t blocks) {
  const int64_t row_stride = s.width * s.pixel_stride + s.row_gap;
  // Nothing lies behind the last pixel.
  std::vector<uint8_t> pixels((s.height - 1) * row_stride + s.width * s.pixel_stride);
  Random random(s.width);
  for (uint8_t& x : pixels) x = static_cast<uint8_t>(random.next() % 3 == 0 ? random.next() : random.next() % 2 * 255);
  const Axis columns(s.width, s.resized_width, s.left, s.out_width);
  const Axis rows(s.height, s.resized_height, s.top, s.out_height);
  std::vector<float> normalised(3 * 256);
  for (float& x : normalised) x = random.signed_unit();

  const int32_t offsets[3] = {s.red, s.green, s.blue};
  std::vector<double> expected;
  for (int32_t y = 0; y < s.out_height; ++y) {
    for (int32_t x = 0; x < s.out_width; ++x) {
      for (int32_t c = 0; c < 3; ++c) {
        const int32_t sample = resampled(rows, y, [&](int32_t row) {
          return resampled(columns, x, [&](int32_t column) {
            return pixels[row * row_stride + column * s.pixel_stride + offsets[c]];
          });
        });
        expected.push_back(normalised[c * 256 + sample]);
      }
    }
  }

  const int32_t first_row = rows.first[0], count = rows.end(s.out_height - 1) - first_row;
  const Bytes image(pixels);
  const Map x_first(columns.first), x_weights(columns.weights), y_first(rows.first), y_weights(rows.weights);
  const Array table(f32, normalised), out(f32, static_cast<int64_t>(expected.size()));
  vtbc_preprocess_args args = {.width = s.width,
                               .first_row = first_row,
                               .rows = count,
                               .pixel_stride = s.pixel_stride,
                               .red = s.red,
                               .green = s.green,
                               .blue = s.blue,
                               .row_stride = row_stride,
                               .pixels = Address{image.address() + first_row * row_stride},
                               .out_width = s.out_width,
                               .out_height = s.out_height,
                               .x_taps = columns.taps,
                               .y_taps = rows.taps,
                               .x_first = x_first.address(),
                               .x_weights = x_weights.address(),
                               .y_first = y_first.address(),
                               .y_weights = y_weights.address(),
                               .normalised = table.address(),
                               .out = out.address()};
  const Bytes filtered(vtbc_preprocess_scratch(&args));
  args.scratch = filtered.address();
  run(vtbc_preprocess_launch, args, f32, blocks, {64});
  ASSERT_EQ(out.read(), expected) << s.width << " x " << s.height << " to " << s.out_width << " x " << s.out_height;
}

TEST(Preprocess, ShrinksEnlargesCropsPadsAnyLayout) {
  check({50, 37, 3, 0, 1, 2, 0, 24, 18, 2, 1, 20, 16}, 3);
  check({50, 37, 4, 2, 1, 0, 5, 24, 18, 2, 1, 19, 15}, 3);    // rows that are no whole vectors
  check({9, 8, 1, 0, 0, 0, 3, 30, 28, 4, 3, 16, 21}, 2);      // a grey image, enlarged
  check({20, 30, 3, 2, 1, 0, 0, 10, 15, -3, -2, 16, 19}, 2);  // a crop wider than the image
  check({1, 1, 3, 0, 1, 2, 0, 4, 4, 0, 0, 4, 4}, 1);
  check({300, 7, 3, 0, 1, 2, 1, 5, 7, 0, 0, 5, 7}, 1);
}

}  // namespace
}  // namespace vtb::test
