// The global filter against the definition of the discrete Fourier transform.
#include "test_support.h"

namespace vtb::test {
namespace {

struct Shape {
  int32_t batch, height, width, in_channels, first_channel, channels;

  int32_t spectrum() const { return width / 2 + 1; }
  int64_t filter_floats() const { return int64_t{height} * spectrum() * channels * 2; }
};

// A random spectrum of a real kernel.
Guarded<float> random_filter(const Shape& shape, Edge edge) {
  auto filter = random_floats(shape.filter_floats(), shape.height * 7 + shape.width, edge);
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
std::vector<double> spatial_kernel(const Shape& shape, const float* filter, int32_t channel) {
  const auto rows = turns(shape.height), columns = turns(shape.width);
  std::vector<double> re(shape.height * shape.spectrum()), im(re.size());
  for (int32_t y = 0; y < shape.height; ++y) {
    for (int32_t v = 0; v < shape.spectrum(); ++v) {
      for (int32_t u = 0; u < shape.height; ++u) {
        const Turn turn = rows[int64_t{u} * y % shape.height];
        const float* f = filter + ((int64_t{u} * shape.spectrum() + v) * shape.channels + channel) * 2;
        re[y * shape.spectrum() + v] += f[0] * turn.cosine - f[1] * turn.sine;
        im[y * shape.spectrum() + v] += f[0] * turn.sine + f[1] * turn.cosine;
      }
    }
  }
  std::vector<double> kernel;
  for (int32_t y = 0; y < shape.height; ++y) {
    for (int32_t x = 0; x < shape.width; ++x) {
      double sum = 0;
      for (int32_t v = 0; v < shape.spectrum(); ++v) {
        const Turn turn = columns[int64_t{v} * x % shape.width];
        const double times = v == 0 || 2 * v == shape.width ? 1 : 2;
        sum += times * (re[y * shape.spectrum() + v] * turn.cosine - im[y * shape.spectrum() + v] * turn.sine);
      }
      kernel.push_back(sum / (shape.height * shape.width));
    }
  }
  return kernel;
}

// The circular convolution that the filter is.
std::vector<double> expected_output(const Shape& shape, const Guarded<float>& in, const Guarded<float>& filter) {
  const int64_t positions = int64_t{shape.height} * shape.width;
  std::vector<double> out(shape.batch * positions * shape.channels);
  for (int32_t c = 0; c < shape.channels; ++c) {
    const std::vector<double> kernel = spatial_kernel(shape, filter.data(), c);
    for (int64_t b = 0; b < shape.batch; ++b) {
      for (int32_t y = 0; y < shape.height; ++y) {
        for (int32_t x = 0; x < shape.width; ++x) {
          double sum = 0;
          for (int32_t j = 0; j < shape.height; ++j) {
            const int32_t row = y >= j ? y - j : y - j + shape.height;
            for (int32_t i = 0; i < shape.width; ++i) {
              const int32_t column = x >= i ? x - i : x - i + shape.width;
              sum += kernel[j * shape.width + i] *
                     in[(b * positions + row * shape.width + column) * shape.in_channels + shape.first_channel + c];
            }
          }
          out[(b * positions + y * shape.width + x) * shape.channels + c] = sum;
        }
      }
    }
  }
  return out;
}

void check(const Shape& shape, int32_t threads, Edge edge) {
  Pool pool(threads);
  const int64_t positions = int64_t{shape.batch} * shape.height * shape.width;
  const auto in = random_floats(positions * shape.in_channels, shape.channels, edge);
  const auto filter = random_filter(shape, edge);
  Guarded<float> out(positions * shape.channels, edge);
  vtb_global_filter_args args = {shape.batch,    shape.height, shape.width,   shape.in_channels, shape.first_channel,
                                 shape.channels, in.data(),    filter.data(), out.data(),        nullptr};
  const int64_t scratch_bytes = vtb_global_filter_scratch(&args);
  ASSERT_EQ(scratch_bytes % 64, 0);
  Guarded<char> scratch(threads * scratch_bytes);
  args.scratch = scratch.data();
  ASSERT_EQ(vtb_global_filter(pool, &args), VTB_OK);
  // A value is rounded some twenty times, a large prime's once a term more; the errors, 2^-25 on average, add up like
  // a random walk.
  ASSERT_LE(difference(out, expected_output(shape, in, filter)).relative_l2, 3e-7)
      << shape.batch << " x " << shape.height << " x " << shape.width << " x " << shape.channels;
}

struct Size {
  int32_t height, width;
};

TEST(GlobalFilter, SizesOfModels) {
  for (Size size : {Size{14, 14}, {7, 7}, {24, 24}, {12, 12}, {32, 32}, {16, 16}, {26, 20}, {8, 6}}) {
    check({1, size.height, size.width, 5, 1, 3}, 1, Edge::back);
    check({1, size.height, size.width, 35, 0, 35}, 2, Edge::front);
  }
}

TEST(GlobalFilter, EveryLength) {
  for (int32_t length = 1; length <= 60; ++length) {
    check({1, length, 1, 2, 0, 2}, 1, Edge::back);
    check({1, 1, length, 2, 0, 2}, 1, Edge::back);
    check({1, length, 4, 3, 1, 2}, 1, Edge::back);
    check({1, 3, length, 3, 0, 2}, 1, Edge::back);
  }
  for (int32_t length : {64, 97, 128, 144, 187, 210, 256, 343, 361}) {
    check({1, length, 1, 1, 0, 1}, 1, Edge::back);
    check({1, 2, length, 1, 0, 1}, 1, Edge::back);
  }
}

TEST(GlobalFilter, ChannelsBatchAndThreads) {
  for (int32_t threads : {1, 2, 3}) {
    for (int32_t channels : {1, 3, 4, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 100}) {
      for (Edge edge : both_edges) {
        check({1, 5, 6, channels, 0, channels}, threads, edge);
        check({3, 4, 7, 2 * channels + 1, channels, channels}, threads, edge);
        check({2, 6, 4, 2 * channels, channels, channels}, threads, edge);
      }
    }
  }
}

TEST(GlobalFilter, RandomArguments) {
  for_random_cases([](Random& random) {
    const int32_t channels = random.between(1, 40), first = random.below(6);
    check({random.between(1, 2), random.between(1, 18), random.between(1, 18), first + channels + random.below(6),
           first, channels},
          random.between(1, 4), random.edge());
  });
}

TEST(GlobalFilter, NaNStaysInItsImage) {
  Pool pool(1);
  const Shape shape = {2, 4, 5, 3, 0, 3};
  auto in = random_floats(2 * 4 * 5 * 3, 1);
  in[30] = std::numeric_limits<float>::quiet_NaN();
  const auto filter = random_filter(shape, Edge::back);
  Guarded<float> out(in.size());
  vtb_global_filter_args args = {2, 4, 5, 3, 0, 3, in.data(), filter.data(), out.data(), nullptr};
  Guarded<char> scratch(vtb_global_filter_scratch(&args));
  args.scratch = scratch.data();
  ASSERT_EQ(vtb_global_filter(pool, &args), VTB_OK);
  for (int position = 0; position < 20; ++position) EXPECT_TRUE(std::isnan(out[position * 3]));
  for (int i = 60; i < 120; ++i) EXPECT_TRUE(std::isfinite(out[i]));
}

}  // namespace
}  // namespace vtb::test
