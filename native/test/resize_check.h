// What operations that resize maps have in common: every size to every size, beside a plain loop.
#pragma once

#include <algorithm>

#include "test_support.h"

namespace vtb::test {

struct Size {
  int32_t height, width;
};

template <typename Args>
struct Resize {
  vtb_status (*run)(vtb_pool* pool, const Args* args);
  // One channel at output (y, x), of a map that begins at that channel.
  double (*expected)(const float* map, int32_t channels, Size size, Size out, int32_t y, int32_t x);
};

template <typename Args>
void check(const Resize<Args>& resize, const Pool& pool, int32_t batch, Size size, Size out_size, int32_t channels,
           Edge edge) {
  const int64_t map = int64_t{size.height} * size.width * channels;
  const auto in = random_floats(batch * map, size.width + channels, edge);
  Guarded<float> out(int64_t{batch} * out_size.height * out_size.width * channels, edge);
  const Args args = {batch, size.height, size.width, channels, out_size.height, out_size.width, in.data(), out.data()};
  ASSERT_EQ(resize.run(pool, &args), VTB_OK);
  std::vector<double> expected;
  for (int32_t b = 0; b < batch; ++b) {
    for (int32_t y = 0; y < out_size.height; ++y) {
      for (int32_t x = 0; x < out_size.width; ++x) {
        for (int32_t c = 0; c < channels; ++c) {
          expected.push_back(resize.expected(in.data() + b * map + c, channels, size, out_size, y, x));
        }
      }
    }
  }
  // Means and interpolations of values below 1: partial sums below 10 rounded once a position, or six roundings.
  const double positions = std::max<double>(6, int64_t{size.height} * size.width);
  ASSERT_LE(difference(out, expected).max_abs, std::min(40.0, positions) * 0x1p-24)
      << size.height << " x " << size.width << " to " << out_size.height << " x " << out_size.width << ", " << channels
      << " channels";
}

template <typename Args>
void check_every_size_to_every_size(const Resize<Args>& resize) {
  const Size sizes[] = {{1, 1}, {1, 7}, {5, 1}, {2, 3}, {7, 7}, {9, 14}, {16, 16}};
  for (int32_t threads : {1, 3}) {
    Pool pool(threads);
    for (Size size : sizes) {
      for (Size out : sizes) {
        for (int32_t channels : {1, 5, 16, 17, 35}) {
          for (Edge edge : both_edges) check(resize, pool, 1, size, out, channels, edge);
        }
        check(resize, pool, 3, size, out, 20, Edge::back);
      }
    }
  }
}

template <typename Args>
void check_random_sizes(const Resize<Args>& resize) {
  for_random_cases([&](Random& random) {
    const Size size = {random.between(1, 16), random.between(1, 16)},
               out = {random.between(1, 30), random.between(1, 30)};
    check(resize, Pool(random.between(1, 4)), random.between(1, 3), size, out, random.between(1, 40), random.edge());
  });
}

template <typename Args>
void check_that_the_same_size_is_a_copy(const Resize<Args>& resize) {
  const auto in = random_floats(int64_t{6} * 5 * 19, 3);
  Guarded<float> out(in.size());
  const Args args = {1, 6, 5, 19, 6, 5, in.data(), out.data()};
  ASSERT_EQ(resize.run(Pool(2), &args), VTB_OK);
  for (int64_t i = 0; i < in.size(); ++i) ASSERT_EQ(out[i], in[i]);
}

}  // namespace vtb::test
