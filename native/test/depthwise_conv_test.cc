// Depthwise convolution against its definition in double precision.
#include <algorithm>
#include <cmath>

#include "test_support.h"

namespace vtb::test {
namespace {

struct Axis {
  int32_t length, size, stride, padding;
  int32_t out() const { return (length + 2 * padding - size) / stride + 1; }
};

struct Case {
  int32_t batch;
  Axis time, height, width;
  int32_t in_channels, first_channel, channels, multiplier;
  int32_t activation;
};

double activated(int32_t activation, double x) {
  switch (activation) {
    case VTB_GELU: return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case VTB_RELU: return std::max(x, 0.0);
    case VTB_SILU: return x / (1 + std::exp(-x));
    case VTB_SIGMOID: return 1 / (1 + std::exp(-x));
    case VTB_TANH: return std::tanh(x);
    default: return x;
  }
}

std::vector<double> expected_of(const vtb_depthwise_conv_args& a) {
  std::vector<double> out;
  for (int32_t b = 0; b < a.batch; ++b) {
    for (int32_t position = 0; position < a.out_time * a.out_height * a.out_width; ++position) {
      const int32_t t0 = position / a.out_width / a.out_height * a.stride_time - a.padding_time;
      const int32_t y0 = position / a.out_width % a.out_height * a.stride_height - a.padding_height;
      const int32_t x0 = position % a.out_width * a.stride_width - a.padding_width;
      for (int32_t c = 0; c < a.channels; ++c) {
        double sum = a.bias ? a.bias[c] : 0;
        for (int32_t tap = 0; tap < a.size_time * a.size_height * a.size_width; ++tap) {
          const int32_t t = t0 + tap / a.size_width / a.size_height;
          const int32_t y = y0 + tap / a.size_width % a.size_height, x = x0 + tap % a.size_width;
          if (t < 0 || t >= a.time || y < 0 || y >= a.height || x < 0 || x >= a.width) continue;
          const int64_t pixel = ((int64_t{b} * a.time + t) * a.height + y) * a.width + x;
          sum += static_cast<double>(a.weight[int64_t{tap} * a.channels + c]) *
                 a.in[pixel * a.in_channels + a.first_channel + c / a.multiplier];
        }
        out.push_back(activated(a.activation, sum));
      }
    }
  }
  return out;
}

void check(vtb_pool* pool, const Case& c, bool biased, Edge edge) {
  const int64_t in_positions = int64_t{c.batch} * c.time.length * c.height.length * c.width.length;
  const int64_t out_positions = int64_t{c.batch} * c.time.out() * c.height.out() * c.width.out();
  const int64_t taps = int64_t{c.time.size} * c.height.size * c.width.size;
  auto in = random_floats(in_positions * c.in_channels, 1 + c.width.length, edge);
  const int32_t last_channel = c.first_channel + (c.channels - 1) / c.multiplier;
  for (int64_t i = 0; i < in.size(); ++i) {  // channels that are none of its business
    const int64_t channel = i % c.in_channels;
    if (channel < c.first_channel || channel > last_channel) in[i] = std::numeric_limits<float>::quiet_NaN();
  }
  const auto weight = random_floats(taps * c.channels, 2 + c.channels, edge);
  const auto bias = random_floats(c.channels, 3, edge);
  Guarded<float> out(out_positions * c.channels, edge);
  const Axis &t = c.time, &y = c.height, &x = c.width;
  vtb_depthwise_conv_args args = {
      c.batch,    t.length,  y.length,     x.length,   c.in_channels, c.first_channel,
      t.out(),    y.out(),   x.out(),      c.channels, c.multiplier,  t.size,
      y.size,     x.size,    t.stride,     y.stride,   x.stride,      t.padding,
      y.padding,  x.padding, c.activation, in.data(),  weight.data(), biased ? bias.data() : nullptr,
      out.data(), nullptr};
  const int64_t thread_bytes = vtb_depthwise_conv_scratch(&args);
  ASSERT_EQ(thread_bytes % 64, 0);
  Guarded<char> scratch(thread_bytes * vtb_pool_threads(pool));
  args.scratch = scratch.data();
  ASSERT_EQ(vtb_depthwise_conv(pool, &args), VTB_OK);
  const std::vector<double> expected = expected_of(args);
  // Every partial sum is below taps + 1 and rounded (a product too, without fused multiply-add) once a tap; the typical
  // error grows with the root of both. An activation has a slope of at most 1.13 and an error of its own of 5e-7.
  const double tolerance = 2 * 0x1p-24 * static_cast<double>(taps + 1) + 1e-6;
  const Difference d = difference(out, expected);
  ASSERT_LE(d.max_abs, tolerance) << "taps " << taps << " width " << c.width.length << " channels " << c.channels;
  ASSERT_LE(d.relative_l2, 1e-6) << "taps " << taps << " width " << c.width.length << " channels " << c.channels;
}

void check(const Case& c) {
  Pool pool(2);
  for (Edge edge : both_edges) check(pool, c, edge == Edge::back, edge);
}

constexpr Axis no_time = {1, 1, 1, 0};

Axis same(int32_t length, int32_t size, int32_t stride) { return {length, size, stride, size / 2}; }

TEST(DepthwiseConv, SizesStridesAndMapsAroundAStrip) {
  for (int32_t size : {3, 5, 7}) {
    for (int32_t stride : {1, 2}) {
      for (int32_t width : {1, 2, 3, 6, 7, 8, 13, 14, 15, 27, 28, 29, 57}) {
        const int32_t height = width % 5 + 1;
        check({1, no_time, same(height, size, stride), same(width, size, stride), 19, 0, 19, 1, VTB_IDENTITY});
      }
    }
  }
}

TEST(DepthwiseConv, ChannelTails) {
  for (int32_t channels : {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 80, 129}) {
    for (int32_t size : {3, 7}) {
      check({2, no_time, same(5, size, 1), same(9, size, 1), channels, 0, channels, 1, VTB_IDENTITY});
    }
  }
}

TEST(DepthwiseConv, AnySizeStrideAndPadding) {
  for (int32_t size : {1, 2, 4, 9, 11}) {
    check({2, no_time, {6, size, 1, size / 2}, {10, size, 1, size / 2}, 21, 0, 21, 1, VTB_IDENTITY});
  }
  check({1, no_time, {11, 3, 3, 1}, {13, 3, 3, 1}, 21, 0, 21, 1, VTB_IDENTITY});
  check({1, no_time, {11, 5, 4, 0}, {13, 3, 2, 0}, 21, 0, 21, 1, VTB_IDENTITY});
  check({1, no_time, {8, 3, 1, 0}, {40, 7, 1, 0}, 21, 0, 21, 1, VTB_IDENTITY});
  check({1, no_time, {8, 1, 1, 0}, {40, 5, 1, 4}, 21, 0, 21, 1, VTB_IDENTITY});
  check({1, no_time, {2, 7, 2, 3}, {3, 3, 1, 1}, 21, 0, 21, 1, VTB_IDENTITY});
  check({1, no_time, {2, 3, 1, 5}, {3, 3, 1, 9}, 21, 0, 21, 1, VTB_IDENTITY});  // windows beyond the map
}

TEST(DepthwiseConv, ChannelsOfAWiderMap) {
  check({2, no_time, same(9, 7, 1), same(11, 7, 1), 70, 13, 40, 1, VTB_IDENTITY});
  check({2, no_time, same(9, 3, 2), same(11, 3, 2), 64, 32, 32, 1, VTB_IDENTITY});
  check({1, no_time, same(9, 4, 2), same(11, 4, 2), 70, 13, 40, 1, VTB_IDENTITY});
}

TEST(DepthwiseConv, WideMapsAreCopiedTogether) {
  for (int32_t width : {3, 7, 14, 31}) {
    for (int32_t stride : {1, 2}) {
      check({2, no_time, same(width, 7, stride), same(width, 7, stride), 256, 16, 240, 1, VTB_IDENTITY});
    }
  }
  check({1, no_time, same(60, 7, 1), same(61, 7, 1), 256, 200, 39, 1, VTB_IDENTITY});  // several blocks of rows
  check({2, same(5, 7, 2), same(6, 7, 1), same(5, 7, 1), 256, 5, 85, 1, VTB_IDENTITY});
  check({1, no_time, {9, 8, 1, 3}, {10, 4, 1, 2}, 256, 5, 85, 1, VTB_IDENTITY});
}

TEST(DepthwiseConv, Video) {
  for (int32_t size : {3, 5}) {
    for (int32_t frames : {1, 2, 4, 7}) {
      check({2, same(frames, size, 1), same(6, size, 1), same(17, size, 1), 35, 0, 35, 1, VTB_IDENTITY});
    }
  }
  check({1, {8, 3, 2, 1}, same(7, 3, 2), same(9, 3, 2), 35, 0, 35, 1, VTB_IDENTITY});
  check({1, {8, 3, 1, 1}, {7, 1, 1, 0}, {9, 1, 1, 0}, 35, 0, 35, 1, VTB_IDENTITY});
}

TEST(DepthwiseConv, Multiplier) {
  for (int32_t multiplier : {2, 3, 5}) {
    check({2, no_time, same(5, 3, 1), same(9, 3, 2), 23, 2, 20 * multiplier, multiplier, VTB_GELU});
    check({1, same(3, 3, 1), same(4, 3, 1), same(5, 3, 1), 7, 0, 7 * multiplier, multiplier, VTB_IDENTITY});
  }
  check({1, no_time, same(9, 7, 1), same(9, 7, 1), 256, 0, 512, 2, VTB_IDENTITY});
}

TEST(DepthwiseConv, Activations) {
  for (int32_t activation : {VTB_GELU, VTB_RELU, VTB_SILU, VTB_SIGMOID, VTB_TANH}) {
    for (int32_t size : {3, 4, 7}) {
      check({2, no_time, same(6, size, 1), same(17, size, 1), 37, 0, 37, 1, activation});
    }
  }
}

Axis random_axis(Random& random) {
  const int32_t size = random.between(1, 8), padding = random.between(0, size);
  return {random.between(std::max(1, size - 2 * padding), 30), size, random.between(1, 3), padding};
}

// Half of them of the sizes that have kernels of their own.
TEST(DepthwiseConv, RandomArguments) {
  for_random_cases([](Random& random) {
    const bool usual = random.coin(), video = random.below(4) == 0;
    const auto axis = [&] {
      return usual ? same(random.between(1, 30), 2 * random.between(1, 3) + 1, random.between(1, 2))
                   : random_axis(random);
    };
    Axis time = no_time;
    if (video) time = {random.between(1, 4), 3, random.between(1, 2), 1};
    const Axis height = axis(), width = axis();
    const int32_t multiplier = random.below(4) == 0 ? random.between(2, 4) : 1, inputs = random.between(1, 80);
    const int32_t first = random.below(9), in_channels = first + inputs + random.below(9);
    const Case c = {random.between(1, 2),
                    time,
                    height,
                    width,
                    in_channels,
                    first,
                    inputs * multiplier,
                    multiplier,
                    random.between(VTB_IDENTITY, VTB_TANH)};
    check(Pool(random.between(1, 4)), c, random.coin(), random.edge());
  });
}

TEST(DepthwiseConv, ThreadsAndManyTasks) {
  for (int32_t threads : {1, 3}) {
    Pool pool(threads);
    check(pool, {3, no_time, same(33, 3, 1), same(45, 3, 1), 150, 0, 150, 1, VTB_IDENTITY}, true, Edge::back);
    check(pool, {2, no_time, same(40, 7, 1), same(40, 7, 1), 256, 0, 140, 1, VTB_IDENTITY}, true, Edge::back);
  }
}

}  // namespace
}  // namespace vtb::test
