// Preprocessing against a plain loop over the formulas of Pillow's Resample.c.
#include <algorithm>
#include <cmath>
#include <string>

#include "test_support.h"

namespace vtb::test {
namespace {

enum class Filter { bilinear, bicubic };

double evaluate(Filter filter, double x) {
  const double t = std::fabs(x);
  if (filter == Filter::bilinear) return t < 1 ? 1 - t : 0;
  if (t < 1) return ((1.5 * t - 2.5) * t) * t + 1;
  if (t < 2) return (((t - 5) * t + 8) * t - 4) * -0.5;
  return 0;
}

// The weights of one output sample.
struct Window {
  int32_t first;
  std::vector<int32_t> weights;
};

std::vector<Window> windows(int32_t in, int32_t out, Filter filter) {
  const double scale = static_cast<double>(in) / out, widening = std::max(scale, 1.0);
  const double support = (filter == Filter::bilinear ? 1 : 2) * widening, inverse = 1 / widening;
  std::vector<Window> all(out);
  for (int32_t i = 0; i < out; i++) {
    const double centre = (i + 0.5) * scale;
    const int32_t low = std::max(0, static_cast<int32_t>(centre - support + 0.5));
    const int32_t high = std::min(in, static_cast<int32_t>(centre + support + 0.5));
    std::vector<double> w(high - low);
    double sum = 0;
    for (int32_t x = 0; x < high - low; x++) sum += w[x] = evaluate(filter, (x + low - centre + 0.5) * inverse);
    all[i].first = low;
    for (double v : w) {
      const double scaled = v / sum * (1 << 22);
      all[i].weights.push_back(static_cast<int32_t>(v < 0 ? scaled - 0.5 : scaled + 0.5));
    }
  }
  return all;
}

// The part [begin, begin + count) of an axis as vtb_preprocess wants it; positions outside are black.
struct Axis {
  int32_t taps;
  std::vector<int32_t> first, weights;

  Axis(const std::vector<Window>& all, int32_t begin, int32_t count) : taps(0), first(count) {
    for (const Window& window : all) taps = std::max<int32_t>(taps, (window.weights.size() + 3) / 4 * 4);
    weights.assign(static_cast<size_t>(count) * taps, 0);
    for (int32_t i = 0; i < count; i++) {
      const int32_t at = begin + i, size = all.size();
      first[i] = all[std::clamp(at, 0, size - 1)].first;
      if (at < 0 || at >= size) continue;
      for (size_t t = 0; t < all[at].weights.size(); t++) {
        const int32_t k = all[at].weights[t];
        int32_t* group = &weights[static_cast<size_t>(i) * taps + t / 4 * 4];
        const int shift = t % 2 * 16;
        group[t % 4 / 2] |= static_cast<int32_t>(static_cast<uint32_t>(k >> 11 & 0xffff) << shift);
        group[2 + t % 4 / 2] |= (k & 2047) << shift;
      }
    }
  }
};

uint8_t rounded(int64_t sum) { return static_cast<uint8_t>(std::clamp<int64_t>((sum + (1 << 21)) >> 22, 0, 255)); }

struct Case {
  int32_t width, height, pixel_stride, red, green, blue, row_gap;
  int32_t resized_width, resized_height, left, top, out_width, out_height;
  Filter filter;

  std::string name() const {
    return std::to_string(width) + "x" + std::to_string(height) + " stride " + std::to_string(pixel_stride) + " to " +
           std::to_string(resized_width) + "x" + std::to_string(resized_height) + " crop " + std::to_string(out_width) +
           "x" + std::to_string(out_height) + " at " + std::to_string(left) + "," + std::to_string(top);
  }
};

// The resized image by plain loops, [resized_height, resized_width, 3].
std::vector<uint8_t> resized(const Case& c, const Guarded<uint8_t>& pixels, int64_t row_stride) {
  const auto columns = windows(c.width, c.resized_width, c.filter);
  const auto rows = windows(c.height, c.resized_height, c.filter);
  const int32_t offsets[3] = {c.red, c.green, c.blue};
  std::vector<uint8_t> narrow(static_cast<size_t>(c.height) * c.resized_width * 3);
  std::vector<uint8_t> out(static_cast<size_t>(c.resized_height) * c.resized_width * 3);
  for (int32_t y = 0; y < c.height; y++) {
    for (int32_t x = 0; x < c.resized_width; x++) {
      for (int32_t channel = 0; channel < 3; channel++) {
        int64_t sum = 0;
        for (size_t t = 0; t < columns[x].weights.size(); t++) {
          const int64_t column = columns[x].first + t;
          sum += int64_t{columns[x].weights[t]} * pixels[y * row_stride + column * c.pixel_stride + offsets[channel]];
        }
        narrow[(static_cast<size_t>(y) * c.resized_width + x) * 3 + channel] = rounded(sum);
      }
    }
  }
  for (int32_t y = 0; y < c.resized_height; y++) {
    for (int32_t x = 0; x < c.resized_width * 3; x++) {
      int64_t sum = 0;
      for (size_t t = 0; t < rows[y].weights.size(); t++) {
        sum += int64_t{rows[y].weights[t]} * narrow[(rows[y].first + t) * c.resized_width * 3 + x];
      }
      out[static_cast<size_t>(y) * c.resized_width * 3 + x] = rounded(sum);
    }
  }
  return out;
}

void check(const Case& c, int32_t threads, Edge edge, bool extremes) {
  SCOPED_TRACE(c.name());
  const int64_t row_stride = int64_t{c.width} * c.pixel_stride + c.row_gap;
  Guarded<uint8_t> pixels((c.height - 1) * row_stride + int64_t{c.width} * c.pixel_stride, edge);
  Random random(c.width * 131 + c.height);
  // Black and white pixels overshoot the most: they test the clamping.
  for (uint8_t& p : pixels) p = static_cast<uint8_t>(extremes ? random.below(2) * 255 : random.below(256));
  Guarded<float> table(3 * 256);
  for (int i = 0; i < 3 * 256; i++) table[i] = 1000 * (i / 256) + i % 256 - 0.5f;

  const Axis columns(windows(c.width, c.resized_width, c.filter), c.left, c.out_width);
  const Axis rows(windows(c.height, c.resized_height, c.filter), c.top, c.out_height);
  Guarded<float> out(int64_t{c.out_height} * c.out_width * 3, edge);
  vtb_preprocess_args args = {};
  args.width = c.width;
  args.height = c.height;
  args.pixel_stride = c.pixel_stride;
  args.red = c.red;
  args.green = c.green;
  args.blue = c.blue;
  args.row_stride = row_stride;
  args.pixels = pixels.data();
  args.out_width = c.out_width;
  args.out_height = c.out_height;
  args.x_taps = columns.taps;
  args.y_taps = rows.taps;
  args.x_first = columns.first.data();
  args.x_weights = columns.weights.data();
  args.y_first = rows.first.data();
  args.y_weights = rows.weights.data();
  args.normalised = table.data();
  args.out = out.data();
  const int64_t scratch_bytes = vtb_preprocess_scratch(&args);
  ASSERT_EQ(scratch_bytes % 64, 0);
  Guarded<uint8_t> scratch(threads * scratch_bytes);
  args.scratch = scratch.data();
  Pool pool(threads);
  ASSERT_EQ(vtb_preprocess(pool, &args), VTB_OK);

  const std::vector<uint8_t> whole = resized(c, pixels, row_stride);
  int64_t wrong = 0;
  for (int32_t y = 0; y < c.out_height; y++) {
    for (int32_t x = 0; x < c.out_width; x++) {
      const int32_t column = x + c.left, row = y + c.top;
      const bool inside = column >= 0 && column < c.resized_width && row >= 0 && row < c.resized_height;
      for (int32_t channel = 0; channel < 3; channel++) {
        const int32_t sample = inside ? whole[(static_cast<size_t>(row) * c.resized_width + column) * 3 + channel] : 0;
        wrong += out[(int64_t{y} * c.out_width + x) * 3 + channel] != table[channel * 256 + sample];
      }
    }
  }
  EXPECT_EQ(wrong, 0);
}

TEST(Preprocess, EqualsThePlainLoop) {
  const Case cases[] = {
      // width, height, pixel stride and offsets, row gap, resized, left and top, crop
      {97, 131, 3, 0, 1, 2, 0, 45, 61, 4, 13, 32, 32, Filter::bicubic},
      {97, 131, 3, 2, 1, 0, 5, 256, 300, 16, 30, 224, 224, Filter::bicubic},
      {64, 48, 4, 2, 1, 0, 0, 21, 16, 2, 1, 16, 14, Filter::bilinear},
      {64, 48, 4, 3, 2, 1, 8, 85, 64, 10, 0, 64, 64, Filter::bicubic},
      {33, 7, 1, 0, 0, 0, 0, 33, 21, 3, 2, 29, 19, Filter::bicubic},
      {33, 7, 2, 0, 0, 0, 0, 11, 7, 0, 0, 11, 7, Filter::bilinear},
      {33, 17, 3, 0, 1, 2, 0, 33, 17, 1, 1, 31, 15, Filter::bicubic},
      {1, 1, 3, 0, 1, 2, 0, 4, 3, 0, 0, 4, 3, Filter::bicubic},
      {1, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, Filter::bicubic},
      {1, 200, 3, 0, 1, 2, 0, 5, 9, 0, 0, 5, 9, Filter::bicubic},
      {200, 1, 3, 0, 1, 2, 0, 9, 5, 0, 0, 9, 5, Filter::bilinear},
      {640, 480, 3, 2, 1, 0, 0, 341, 256, 58, 16, 224, 224, Filter::bicubic},
      {1000, 30, 4, 0, 1, 2, 0, 8, 8, 0, 0, 8, 8, Filter::bicubic},
      {5, 1000, 3, 0, 1, 2, 1, 7, 3, 1, 0, 5, 3, Filter::bicubic},
      {20, 30, 3, 0, 1, 2, 0, 10, 15, -3, -9, 16, 32, Filter::bicubic},
  };
  for (const Case& c : cases) {
    for (const Edge edge : both_edges) {
      for (const int32_t threads : {1, 3}) check(c, threads, edge, false);
      check(c, 1, edge, true);
    }
  }
}

TEST(Preprocess, RandomArguments) {
  for_random_cases([](Random& random) {
    Case c = {};
    c.width = random.between(1, 90);
    c.height = random.between(1, 90);
    c.pixel_stride = random.between(1, 4);
    c.red = random.below(c.pixel_stride);
    c.green = random.below(c.pixel_stride);
    c.blue = random.below(c.pixel_stride);
    c.row_gap = random.below(3);
    c.resized_width = random.between(1, 120);
    c.resized_height = random.between(1, 120);
    c.left = random.below(c.resized_width);
    c.top = random.below(c.resized_height);
    c.out_width = random.between(1, c.resized_width - c.left);
    c.out_height = random.between(1, c.resized_height - c.top);
    c.filter = random.coin() ? Filter::bicubic : Filter::bilinear;
    check(c, random.between(1, 3), random.edge(), random.below(5) == 0);
  });
}

}  // namespace
}  // namespace vtb::test
