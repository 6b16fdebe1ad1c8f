// Window pooling, adaptive average pooling, means, bilinear resizing.
#include <algorithm>

#include "test_support.h"

namespace vtb::test {
namespace {

struct Extent {
  int32_t time, height, width;
};

struct WindowPool {
  Extent in, size, stride, padding;
};

void check_window_pool(const DType& dtype, const WindowPool& pool, int32_t channels, int32_t average, int64_t offset) {
  const int32_t batch = 2;
  const Extent in = pool.in, size = pool.size, stride = pool.stride, padding = pool.padding;
  const Extent out = {(in.time + 2 * padding.time - size.time) / stride.time + 1,
                      (in.height + 2 * padding.height - size.height) / stride.height + 1,
                      (in.width + 2 * padding.width - size.width) / stride.width + 1};
  const Array from = Array::random(dtype, batch * in.time * in.height * in.width * channels, channels, offset);
  const Array to(dtype, batch * out.time * out.height * out.width * channels);
  const vtbc_window_pool_args args = {.batch = batch,
                                      .time = in.time,
                                      .height = in.height,
                                      .width = in.width,
                                      .channels = channels,
                                      .out_time = out.time,
                                      .out_height = out.height,
                                      .out_width = out.width,
                                      .size_time = size.time,
                                      .size_height = size.height,
                                      .size_width = size.width,
                                      .stride_time = stride.time,
                                      .stride_height = stride.height,
                                      .stride_width = stride.width,
                                      .padding_time = padding.time,
                                      .padding_height = padding.height,
                                      .padding_width = padding.width,
                                      .average = average,
                                      .in = from.address(),
                                      .out = to.address()};
  run(vtbc_window_pool_launch, args, dtype, channels % 2 ? 2 : 0, {64});
  std::vector<double> expected;
  for (int64_t i = 0; i < to.size(); ++i) {
    const int64_t c = i % channels, x0 = i / channels % out.width, y0 = i / channels / out.width % out.height;
    const int64_t frame = i / channels / out.width / out.height, t0 = frame % out.time, image = frame / out.time;
    double sum = 0, largest = -INFINITY;
    int taps = 0;
    for (int64_t tap = 0; tap < int64_t{size.time} * size.height * size.width; ++tap) {
      const int64_t x = x0 * stride.width - padding.width + tap % size.width;
      const int64_t y = y0 * stride.height - padding.height + tap / size.width % size.height;
      const int64_t t = t0 * stride.time - padding.time + tap / size.width / size.height;
      if (x < 0 || x >= in.width || y < 0 || y >= in.height || t < 0 || t >= in.time) continue;
      const double value = from[(((image * in.time + t) * in.height + y) * in.width + x) * channels + c];
      sum += value;
      largest = std::max(largest, value);
      ++taps;
    }
    expected.push_back(average ? sum / taps : largest);
  }
  ASSERT_LE(difference(to.read(), expected), average ? dtype.rounding + 8 * 0x1p-24 : 0)
      << dtype.suffix << " " << channels;
}

TEST(WindowPool, WindowsStridesPadding) {
  const WindowPool pools[] = {
      {{1, 7, 6}, {1, 3, 3}, {1, 2, 2}, {0, 1, 1}},
      {{1, 8, 5}, {1, 2, 2}, {1, 2, 2}, {0, 0, 0}},
      {{4, 5, 6}, {3, 2, 3}, {2, 1, 3}, {1, 1, 2}},
  };
  for (const DType& dtype : dtypes) {
    for (const WindowPool& pool : pools) {
      for (int32_t channels : {1, 5, 8, 24}) {
        for (int32_t average : {0, 1}) {
          for (int64_t offset : {0, 1}) check_window_pool(dtype, pool, channels, average, offset);
        }
      }
    }
  }
}

TEST(WindowPool, NaNIsTheMaximum) {
  const Array in(f32, {1, std::nanf(""), 2, 3}), out(f32, 2);
  run(vtbc_window_pool_launch, {1, 1, 1, 4, 1, 1, 1, 2, 1, 1, 2, 1, 1, 2, 0, 0, 0, 0, in.address(), out.address()},
      f32);
  EXPECT_TRUE(std::isnan(out.read()[0]));
  EXPECT_EQ(out.read()[1], 3);
}

struct Resize {
  int32_t height, width, out_height, out_width;
};

vtbc_resize_args resize(const Resize& shape, int32_t batch, int32_t channels, const Array& in, const Array& out) {
  return {batch, shape.height, shape.width, channels, shape.out_height, shape.out_width, in.address(), out.address()};
}

void check_adaptive(const DType& dtype, const Resize& shape, int32_t channels, Dim block, int64_t offset) {
  const int32_t batch = 2;
  const Array in = Array::random(dtype, int64_t{batch} * shape.height * shape.width * channels, channels, offset);
  const Array out(dtype, int64_t{batch} * shape.out_height * shape.out_width * channels);
  run(vtbc_adaptive_average_pool_launch, resize(shape, batch, channels, in, out), dtype, block.x ? 3 : 0, block);
  std::vector<double> expected(out.size());
  for (int64_t i = 0; i < out.size(); ++i) {
    const int64_t c = i % channels, column = i / channels % shape.out_width,
                  row = i / channels / shape.out_width % shape.out_height;
    const int64_t image = i / channels / shape.out_width / shape.out_height;
    int count = 0;
    for (int64_t y = row * shape.height / shape.out_height; y * shape.out_height < (row + 1) * shape.height; ++y) {
      for (int64_t x = column * shape.width / shape.out_width; x * shape.out_width < (column + 1) * shape.width;
           ++x, ++count) {
        expected[i] += in[((image * shape.height + y) * shape.width + x) * channels + c];
      }
    }
    expected[i] /= count;
  }
  ASSERT_LE(difference(out.read(), expected), dtype.rounding + 8 * 0x1p-24)
      << dtype.suffix << " " << channels << " block " << block.x << " x " << block.y;
}

TEST(AdaptiveAveragePool, BinsAndBlocks) {
  const Resize shapes[] = {{7, 5, 3, 2}, {4, 4, 6, 4}, {49, 1, 1, 1}, {1, 1, 1, 1}};
  for (const DType& dtype : dtypes) {
    for (const Resize& shape : shapes) {
      for (int32_t channels : {1, 8, 24, 37}) {
        for (Dim block : {Dim{0, 0}, Dim{1, 64}, Dim{3, 32}, Dim{32, 8}, Dim{32, 1}}) {
          for (int64_t offset : {0, 1}) check_adaptive(dtype, shape, channels, block, offset);
        }
      }
    }
  }
}

// In one launch, or in parts where there are many tokens that can be divided.
void check_mean(const DType& dtype, int32_t tokens, int32_t channels, int64_t offset) {
  const int32_t batch = 2;
  const Array in = Array::random(dtype, int64_t{batch} * tokens * channels, channels, offset),
              out(dtype, batch * channels);
  vtbc_mean_pool_args args = {batch, tokens, channels, 0, in.address(), out.address(), nullptr};
  const int64_t scratch_bytes = vtbc_mean_pool_scratch(&args, dtype.id);
  const Array scratch(f32, scratch_bytes / 4 + 1);
  args.scratch = scratch.address();
  const bool parts = tokens == 392 || tokens == 3136;
  ASSERT_EQ(scratch_bytes > 0, parts) << tokens;
  ASSERT_EQ(run(vtbc_mean_pool_launch, args, dtype).size(), parts ? 2u : 1u);
  std::vector<double> expected(out.size());
  for (int64_t i = 0; i < in.size(); ++i) expected[i / channels / tokens * channels + i % channels] += in[i] / tokens;
  ASSERT_LE(difference(out.read(), expected), (parts ? 2 : 1) * dtype.rounding + 8 * 0x1p-24)
      << dtype.suffix << " " << tokens << " x " << channels;
}

TEST(MeanPool, WholeAndInParts) {
  for (const DType& dtype : dtypes) {
    for (int32_t tokens : {1, 49, 257, 392, 3136}) {
      for (int32_t channels : {1, 24, 300}) {
        for (int64_t offset : {0, 1}) check_mean(dtype, tokens, channels, offset);
      }
    }
  }
}

struct Axis {
  int64_t low, high;
  double fraction;
};

Axis bilinear_axis(int64_t i, int32_t size, int32_t out_size) {
  const double source = std::max((static_cast<double>(i) + 0.5) * size / out_size - 0.5, 0.0);
  const auto low = static_cast<int64_t>(source);
  return {low, std::min<int64_t>(low + 1, size - 1), source - static_cast<double>(low)};
}

void check_bilinear(const DType& dtype, const Resize& shape, int32_t channels, int64_t offset) {
  const int32_t batch = 2;
  const Array in = Array::random(dtype, int64_t{batch} * shape.height * shape.width * channels, channels, offset);
  const Array out(dtype, int64_t{batch} * shape.out_height * shape.out_width * channels);
  run(vtbc_bilinear_launch, resize(shape, batch, channels, in, out), dtype, channels % 2 ? 3 : 0, {32});
  std::vector<double> expected;
  for (int64_t i = 0; i < out.size(); ++i) {
    const Axis x = bilinear_axis(i / channels % shape.out_width, shape.width, shape.out_width);
    const Axis y = bilinear_axis(i / channels / shape.out_width % shape.out_height, shape.height, shape.out_height);
    const int64_t image = i / channels / shape.out_width / shape.out_height;
    const auto at = [&](int64_t row, int64_t column) {
      return in[((image * shape.height + row) * shape.width + column) * channels + i % channels];
    };
    const double top = at(y.low, x.low) * (1 - x.fraction) + at(y.low, x.high) * x.fraction;
    const double bottom = at(y.high, x.low) * (1 - x.fraction) + at(y.high, x.high) * x.fraction;
    expected.push_back(top * (1 - y.fraction) + bottom * y.fraction);
  }
  ASSERT_LE(difference(out.read(), expected), dtype.rounding + 8 * 0x1p-24) << dtype.suffix << " " << channels;
}

TEST(Bilinear, UpDownAndSame) {
  const Resize shapes[] = {{3, 4, 7, 9}, {7, 9, 3, 4}, {5, 5, 5, 5}, {1, 1, 3, 2}, {2, 300, 3, 1000}};
  for (const DType& dtype : dtypes) {
    for (const Resize& shape : shapes) {
      for (int32_t channels : {1, 5, 8}) {
        for (int64_t offset : {0, 1}) check_bilinear(dtype, shape, channels, offset);
      }
    }
  }
}

}  // namespace
}  // namespace vtb::test
