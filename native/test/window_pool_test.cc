// Maximum and mean of windows against their definition.
#include <algorithm>
#include <cmath>

#include "test_support.h"

namespace vtb::test {
namespace {

struct Axis {
  int32_t length, size, stride, padding;
  int32_t out() const { return (length + 2 * padding - size) / stride + 1; }
};

std::vector<double> expected_of(const vtb_window_pool_args& a) {
  std::vector<double> out;
  for (int32_t b = 0; b < a.batch; ++b) {
    for (int32_t position = 0; position < a.out_time * a.out_height * a.out_width; ++position) {
      const int32_t t0 = position / a.out_width / a.out_height * a.stride_time - a.padding_time;
      const int32_t y0 = position / a.out_width % a.out_height * a.stride_height - a.padding_height;
      const int32_t x0 = position % a.out_width * a.stride_width - a.padding_width;
      for (int32_t c = 0; c < a.channels; ++c) {
        double sum = 0, largest = -std::numeric_limits<double>::infinity();
        int32_t count = 0;
        for (int32_t tap = 0; tap < a.size_time * a.size_height * a.size_width; ++tap) {
          const int32_t t = t0 + tap / a.size_width / a.size_height;
          const int32_t y = y0 + tap / a.size_width % a.size_height, x = x0 + tap % a.size_width;
          if (t < 0 || t >= a.time || y < 0 || y >= a.height || x < 0 || x >= a.width) continue;
          const double value = a.in[(((int64_t{b} * a.time + t) * a.height + y) * a.width + x) * a.channels + c];
          sum += value;
          largest = std::max(largest, value);
          ++count;
        }
        out.push_back(a.average ? sum / count : largest);
      }
    }
  }
  return out;
}

void check(int32_t batch, Axis time, Axis height, Axis width, int32_t channels) {
  for (int32_t threads : {1, 3}) {
    Pool pool(threads);
    for (Edge edge : both_edges) {
      for (int32_t average : {0, 1}) {
        auto in = random_floats(int64_t{batch} * time.length * height.length * width.length * channels, channels, edge);
        for (float& x : in) x -= 2;  // all negative: padding that counted would be the maximum
        Guarded<float> out(int64_t{batch} * time.out() * height.out() * width.out() * channels, edge);
        const vtb_window_pool_args args = {batch,          time.length,   height.length, width.length, channels,
                                           time.out(),     height.out(),  width.out(),   time.size,    height.size,
                                           width.size,     time.stride,   height.stride, width.stride, time.padding,
                                           height.padding, width.padding, average,       in.data(),    out.data()};
        ASSERT_EQ(vtb_window_pool(pool, &args), VTB_OK);
        const Difference d = difference(out, expected_of(args));
        // A maximum is exact; a mean of values below 3 has partial sums below 3 n, rounded n times and divided by n.
        const int32_t taps = time.size * height.size * width.size;
        ASSERT_LE(d.max_abs, average ? 3 * 0x1p-24 * (taps + 1) : 0) << "channels " << channels << " taps " << taps;
      }
    }
  }
}

constexpr Axis no_time = {1, 1, 1, 0};

TEST(WindowPool, ChannelTails) {
  for (int32_t channels : {1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 79, 130}) {
    check(2, no_time, {7, 3, 2, 1}, {9, 3, 2, 1}, channels);
  }
}

TEST(WindowPool, SizesAndStrides) {
  check(2, no_time, {8, 2, 2, 0}, {10, 2, 2, 0}, 37);
  check(1, no_time, {9, 2, 2, 0}, {11, 2, 2, 0}, 37);  // the last row and column belong to no window
  check(1, no_time, {1, 3, 2, 1}, {1, 3, 2, 1}, 37);   // windows larger than the map
  check(1, no_time, {9, 5, 1, 2}, {4, 3, 3, 1}, 37);
  check(1, no_time, {56, 4, 4, 0}, {56, 4, 4, 0}, 64);
  check(1, no_time, {112, 3, 2, 1}, {112, 3, 2, 1}, 64);
}

TEST(WindowPool, Video) { check(2, {5, 3, 2, 1}, {6, 3, 2, 1}, {7, 2, 1, 0}, 21); }

// Every window has to touch the map: padding is less than a window.
Axis random_axis(Random& random) {
  const int32_t size = random.between(1, 5), padding = random.below(size);
  return {random.between(std::max(1, size - 2 * padding), 14), size, random.between(1, 3), padding};
}

TEST(WindowPool, RandomArguments) {
  for_random_cases([](Random& random) {
    const Axis time = random.below(3) == 0 ? random_axis(random) : no_time;
    const Axis height = random_axis(random), width = random_axis(random);
    check(random.between(1, 2), time, height, width, random.between(1, 70));
  });
}

TEST(WindowPool, NaNAndInfinityAreSeen) {
  Pool pool(1);
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (int32_t channels : {3, 16}) {
    for (int32_t average : {0, 1}) {
      for (int32_t where = 0; where < 4; ++where) {
        auto in = random_floats(8 * channels, 5);  // two windows of 2 x 2, side by side
        const int64_t pixel = where / 2 * 4 + where % 2;
        in[pixel * channels + 1] = std::numeric_limits<float>::quiet_NaN();
        in[pixel * channels + 2] = infinity;
        Guarded<float> out(2 * channels);
        const vtb_window_pool_args args = {1, 1, 2, 4, channels, 1, 1, 2,       1,         2,
                                           2, 1, 2, 2, 0,        0, 0, average, in.data(), out.data()};
        ASSERT_EQ(vtb_window_pool(pool, &args), VTB_OK);
        for (int64_t i = 0; i < 2 * channels; ++i) {
          EXPECT_EQ(std::isnan(out[i]), i == 1) << where;
          EXPECT_EQ(out[i] == infinity, i == 2) << where;
        }
      }
    }
  }
}

}  // namespace
}  // namespace vtb::test
