// Depthwise convolution against its definition in double precision.
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
  int32_t in_channels, first_channel, channels, multiplier, activation;
};

constexpr Axis no_time = {1, 1, 1, 0};

Axis same(int32_t length, int32_t size, int32_t stride = 1) { return {length, size, stride, size / 2}; }

std::vector<double> expected_of(const Case& s, const Array& in, const Array& weight, const Array* bias) {
  std::vector<double> out;
  for (int32_t b = 0; b < s.batch; ++b) {
    for (int32_t position = 0; position < s.time.out() * s.height.out() * s.width.out(); ++position) {
      const int32_t t0 = position / s.width.out() / s.height.out() * s.time.stride - s.time.padding;
      const int32_t y0 = position / s.width.out() % s.height.out() * s.height.stride - s.height.padding;
      const int32_t x0 = position % s.width.out() * s.width.stride - s.width.padding;
      for (int32_t c = 0; c < s.channels; ++c) {
        double sum = bias ? (*bias)[c] : 0;
        for (int32_t tap = 0; tap < s.time.size * s.height.size * s.width.size; ++tap) {
          const int32_t t = t0 + tap / s.width.size / s.height.size;
          const int32_t y = y0 + tap / s.width.size % s.height.size, x = x0 + tap % s.width.size;
          if (t < 0 || t >= s.time.length || y < 0 || y >= s.height.length || x < 0 || x >= s.width.length) continue;
          const int64_t pixel = ((int64_t{b} * s.time.length + t) * s.height.length + y) * s.width.length + x;
          sum += weight[int64_t{tap} * s.channels + c] * in[pixel * s.in_channels + s.first_channel + c / s.multiplier];
        }
        out.push_back(activate(sum, s.activation));
      }
    }
  }
  return out;
}

// Channels that are none of its business are NaN.
Array input(const DType& dtype, const Case& s, int64_t offset) {
  const int32_t last_channel = s.first_channel + (s.channels - 1) / s.multiplier;
  std::vector<float> values(int64_t{s.batch} * s.time.length * s.height.length * s.width.length * s.in_channels);
  Random random(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const int32_t channel = static_cast<int32_t>(i % s.in_channels);
    values[i] = channel < s.first_channel || channel > last_channel ? std::nanf("") : random.signed_unit();
  }
  return Array(dtype, values, offset);
}

// By the kernel for any convolution, or by the tiled one.
enum class Kernel { any, tiled };

void check(const DType& dtype, const Case& s, Kernel kernel, bool biased, int64_t offset, int32_t blocks) {
  const int64_t taps = int64_t{s.time.size} * s.height.size * s.width.size;
  const Array in = input(dtype, s, offset);
  const Array weight = Array::random(f32, taps * s.channels, 2), bias = Array::random(f32, s.channels, 3);
  const int32_t out_frames = s.batch * s.time.out();
  const Array out(dtype, int64_t{out_frames} * s.height.out() * s.width.out() * s.channels, offset);
  const vtbc_depthwise_conv_args args = {.batch = s.batch,
                                         .time = s.time.length,
                                         .height = s.height.length,
                                         .width = s.width.length,
                                         .in_channels = s.in_channels,
                                         .first_channel = s.first_channel,
                                         .out_time = s.time.out(),
                                         .out_height = s.height.out(),
                                         .out_width = s.width.out(),
                                         .channels = s.channels,
                                         .multiplier = s.multiplier,
                                         .size_time = s.time.size,
                                         .size_height = s.height.size,
                                         .size_width = s.width.size,
                                         .stride_time = s.time.stride,
                                         .stride_height = s.height.stride,
                                         .stride_width = s.width.stride,
                                         .padding_time = s.time.padding,
                                         .padding_height = s.height.padding,
                                         .padding_width = s.width.padding,
                                         .activation = s.activation,
                                         .in = in.address(),
                                         .weight = weight.address(),
                                         .bias = biased ? bias.address() : null,
                                         .out = out.address()};
  const std::string name = run(vtbc_depthwise_conv_launch, args, dtype, blocks)[0], side = std::to_string(s.width.size);
  const std::string tiled = side + "x" + side + "_";
  ASSERT_EQ(name, "vtb_depthwise_conv_" + (kernel == Kernel::tiled ? tiled : "") + dtype.suffix);
  // Every partial sum is below taps + 1 and rounded twice a tap, at random.
  const double tolerance = dtype.rounding + 2 * 0x1p-24 * std::sqrt(taps) * static_cast<double>(taps + 1) + 1e-6;
  ASSERT_LE(difference(out.read(), expected_of(s, in, weight, biased ? &bias : nullptr)), tolerance)
      << name << " map " << s.height.length << " x " << s.width.length << " channels " << s.channels << " taps "
      << s.time.size << " x " << s.height.size << " x " << s.width.size;
}

TEST(DepthwiseConv, TiledKernelsOfAllSizesOnMapsAroundATile) {
  for (const DType& dtype : dtypes) {
    for (int32_t size : {3, 5, 7}) {
      for (Axis shape : {Axis{1, 1, 0, 0}, {6, 7, 0, 0}, {7, 8, 0, 0}, {15, 14, 0, 0}, {17, 13, 0, 0}, {9, 29, 0, 0}}) {
        const int32_t n = 16 / static_cast<int32_t>(dtype.bytes()), channels = 32 + n;
        const Case s = {1, no_time, same(shape.length, size), same(shape.size, size), channels + 2 * n, n, channels,
                        1, 0};
        check(dtype, s, Kernel::tiled, shape.length % 2 == 0, 0, 0);
      }
    }
  }
}

TEST(DepthwiseConv, TiledKernelsPaddingBatchActivationsFewBlocks) {
  for (const DType& dtype : dtypes) {
    for (int32_t activation = 0; activation < activation_count; ++activation) {
      const int32_t padding = activation % 4;
      check(dtype, {2, no_time, {9, 5, 1, padding}, {10, 5, 1, padding + 1}, 64, 0, 64, 1, activation}, Kernel::tiled,
            true, 0, 3);
    }
  }
}

TEST(DepthwiseConv, TiledKernelsInTime) {
  for (const DType& dtype : dtypes) {
    check(dtype, {2, {4, 3, 1, 1}, same(5, 3), same(6, 3), 16, 0, 16, 1, 0}, Kernel::tiled, true, 0, 0);
    check(dtype, {1, {5, 5, 2, 2}, same(8, 5), same(9, 5), 40, 0, 40, 1, 0}, Kernel::tiled, false, 0, 2);
    check(dtype, {1, {3, 7, 1, 3}, same(4, 7), same(4, 7), 8, 0, 8, 1, 0}, Kernel::tiled, true, 0, 0);
  }
}

TEST(DepthwiseConv, AnySizeStrideChannels) {
  for (const DType& dtype : dtypes) {
    for (int64_t offset : {0, 1}) {
      for (int32_t channels : {1, 3, 8, 33, 40}) {
        const int32_t activation = channels % activation_count;
        check(dtype, {2, no_time, same(7, 3, 2), same(8, 3, 2), channels, 0, channels, 1, activation}, Kernel::any,
              true, offset, 2);
        check(dtype, {1, no_time, {6, 4, 1, 0}, {9, 1, 3, 2}, channels + 16, 8, channels, 1, 0}, Kernel::any, false,
              offset, 3);
        check(dtype, {1, {4, 3, 2, 1}, same(5, 5), same(4, 7), channels + 1, 1, channels, 1, 0}, Kernel::any, true,
              offset, 1);
      }
    }
  }
}

TEST(DepthwiseConv, Multiplier) {
  for (const DType& dtype : dtypes) {
    for (int32_t multiplier : {2, 3, 8}) {
      check(dtype, {2, no_time, same(4, 3, 2), same(5, 3, 2), 5, 1, 4 * multiplier, multiplier, 0}, Kernel::any, true,
            0, 2);
    }
  }
}

}  // namespace
}  // namespace vtb::test
