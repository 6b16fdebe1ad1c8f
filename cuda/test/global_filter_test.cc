// The global filter against the definition of the discrete Fourier transform.
#include "test_support.h"

namespace vtb::test {
namespace {

struct Shape {
  int32_t batch, height, width, in_channels, first_channel, channels;

  int32_t spectrum() const { return width / 2 + 1; }
  int32_t positions() const { return height * width; }
};

// A random spectrum of a real kernel.
std::vector<float> random_filter(const Shape& shape) {
  Random random(shape.height * 7 + shape.width);
  std::vector<float> filter(int64_t{shape.height} * shape.spectrum() * shape.channels * 2);
  for (float& x : filter) x = random.signed_unit();
  for (int32_t v = 0; v < shape.spectrum(); ++v) {
    if (v != 0 && 2 * v != shape.width) continue;
    for (int32_t u = 0; u < shape.height; ++u) {
      const int32_t minus_u = u == 0 ? 0 : shape.height - u;
      for (int32_t c = 0; c < shape.channels; ++c) {
        float* here = filter.data() + ((int64_t{u} * shape.spectrum() + v) * shape.channels + c) * 2;
        float* there = filter.data() + ((int64_t{minus_u} * shape.spectrum() + v) * shape.channels + c) * 2;
        if (u == minus_u) here[1] = 0;
        there[0] = here[0];
        there[1] = u == minus_u ? 0 : -here[1];
      }
    }
  }
  return filter;
}

struct Turn {
  double cosine, sine;
};

std::vector<Turn> turns(int32_t length) {
  std::vector<Turn> table;
  for (int32_t i = 0; i < length; ++i) {
    const double angle = 2 * M_PI * i / length;
    table.push_back({std::cos(angle), std::sin(angle)});
  }
  return table;
}

// The kernel whose spectrum the filter is, by the inverse real transform; [height, width].
std::vector<double> spatial_kernel(const Shape& shape, const Array& filter, int32_t channel) {
  const auto rows = turns(shape.height), columns = turns(shape.width);
  std::vector<double> re(shape.height * shape.spectrum()), im(re.size());
  for (int32_t y = 0; y < shape.height; ++y) {
    for (int32_t v = 0; v < shape.spectrum(); ++v) {
      for (int32_t u = 0; u < shape.height; ++u) {
        const Turn turn = rows[u * y % shape.height];
        const int64_t at = ((int64_t{u} * shape.spectrum() + v) * shape.channels + channel) * 2;
        re[y * shape.spectrum() + v] += filter[at] * turn.cosine - filter[at + 1] * turn.sine;
        im[y * shape.spectrum() + v] += filter[at] * turn.sine + filter[at + 1] * turn.cosine;
      }
    }
  }
  std::vector<double> kernel;
  for (int32_t y = 0; y < shape.height; ++y) {
    for (int32_t x = 0; x < shape.width; ++x) {
      double sum = 0;
      for (int32_t v = 0; v < shape.spectrum(); ++v) {
        const Turn turn = columns[v * x % shape.width];
        const double times = v == 0 || 2 * v == shape.width ? 1 : 2;
        sum += times * (re[y * shape.spectrum() + v] * turn.cosine - im[y * shape.spectrum() + v] * turn.sine);
      }
      kernel.push_back(sum / shape.positions());
    }
  }
  return kernel;
}

// The circular convolution that the filter is.
std::vector<double> expected_output(const Shape& shape, const Array& in, const Array& filter) {
  const int64_t positions = shape.positions();
  std::vector<double> out(shape.batch * positions * shape.channels);
  for (int32_t c = 0; c < shape.channels; ++c) {
    const std::vector<double> kernel = spatial_kernel(shape, filter, c);
    for (int64_t b = 0; b < shape.batch; ++b) {
      for (int64_t i = 0; i < positions; ++i) {
        const int64_t y = i / shape.width, x = i % shape.width;
        double sum = 0;
        for (int64_t k = 0; k < positions; ++k) {
          const int64_t row = (y - k / shape.width + shape.height) % shape.height;
          const int64_t column = (x - k % shape.width + shape.width) % shape.width;
          const int64_t from = b * positions + row * shape.width + column;
          sum += kernel[k] * in[from * shape.in_channels + shape.first_channel + c];
        }
        out[(b * positions + i) * shape.channels + c] = sum;
      }
    }
  }
  return out;
}

// In one launch, or in three, on a device with too little shared memory for one.
void filter_maps(const DType& dtype, const Shape& s, const Array& in, const Array& filter, const Array& out,
                 bool in_one, int32_t blocks) {
  vtbc_global_filter_args args = {.batch = s.batch,
                                  .height = s.height,
                                  .width = s.width,
                                  .in_channels = s.in_channels,
                                  .first_channel = s.first_channel,
                                  .channels = s.channels,
                                  .shared_memory = 163 << 10,
                                  .in = in.address(),
                                  .filter = filter.address(),
                                  .out = out.address()};
  while (!in_one && vtbc_global_filter_scratch(&args) == 0) args.shared_memory -= 8;
  const Array scratch(f32, vtbc_global_filter_scratch(&args) / 4 + 1);
  args.scratch = scratch.address();
  ASSERT_EQ(run(vtbc_global_filter_launch, args, dtype, blocks).size(), in_one ? 1u : 3u);
}

void check(const DType& dtype, const Shape& shape, bool in_one, int64_t offset, int32_t blocks = 0) {
  const int64_t positions = int64_t{shape.batch} * shape.positions();
  const Array in = Array::random(dtype, positions * shape.in_channels, shape.channels, offset);
  const Array filter(f32, random_filter(shape), offset);
  const Array out(dtype, positions * shape.channels, offset);
  filter_maps(dtype, shape, in, filter, out, in_one, blocks);
  // Values are of the order of 1, and are rounded some twenty times on the way, a large prime's once a term more.
  ASSERT_LE(difference(out.read(), expected_output(shape, in, filter)), dtype.rounding + 3e-6)
      << dtype.suffix << " " << shape.batch << " x " << shape.height << " x " << shape.width << " x " << shape.channels;
}

TEST(GlobalFilter, SizesOfModels) {
  for (const DType& dtype : dtypes) {
    for (int32_t side : {7, 12, 14, 16, 24}) {
      check(dtype, {1, side, side, 24, 8, 16}, true, 0);
      check(dtype, {1, side, side, 5, 1, 3}, true, 0);
    }
  }
  check(f16, {1, 32, 32, 8, 0, 8}, true, 0);
  check(f32, {1, 26, 20, 8, 0, 8}, true, 0);
}

TEST(GlobalFilter, TheLargestInOneBlock) { check(f16, {1, 64, 64, 2, 0, 2}, true, 0); }

TEST(GlobalFilter, EveryLength) {
  for (int32_t length = 1; length <= 32; ++length) {
    for (bool in_one : {true, false}) {
      check(f32, {1, length, 1, 2, 0, 2}, in_one, 0);
      check(f32, {1, 1, length, 2, 0, 2}, in_one, 0);
      check(f32, {1, length, 4, 3, 1, 2}, in_one, 0);
      check(f32, {1, 3, length, 3, 0, 2}, in_one, 0);
    }
  }
  for (int32_t length : {64, 97, 121, 143, 187, 210, 361}) {
    check(f32, {1, length, 1, 1, 0, 1}, true, 0);
    check(f32, {1, 2, length, 1, 0, 1}, true, 0);
    check(f32, {1, length, 2, 1, 0, 1}, false, 0);
    check(f32, {1, 2, length, 1, 0, 1}, false, 0);
  }
}

TEST(GlobalFilter, ChannelsBatchAndBlocks) {
  for (const DType& dtype : dtypes) {
    for (int32_t channels : {1, 2, 7, 8, 9, 24}) {
      for (int64_t offset : {0, 1}) {
        for (bool in_one : {true, false}) {
          check(dtype, {3, 4, 3, 2 * channels + 1, channels, channels}, in_one, offset, 2);
          check(dtype, {2, 3, 4, 2 * channels, channels, channels}, in_one, offset, 5);
        }
      }
    }
  }
}

TEST(GlobalFilter, NaNStaysInItsMap) {
  const Shape shape = {2, 4, 5, 3, 0, 3};
  std::vector<float> values(2 * 4 * 5 * 3, 0.5f);
  values[30] = std::nanf("");
  const Array in(f32, values), filter(f32, random_filter(shape)), out(f32, in.size());
  filter_maps(f32, shape, in, filter, out, true, 2);
  const std::vector<double> result = out.read();
  for (int position = 0; position < 20; ++position) EXPECT_TRUE(std::isnan(result[position * 3]));
  for (int i = 60; i < 120; ++i) EXPECT_TRUE(std::isfinite(result[i]));
}

}  // namespace
}  // namespace vtb::test
