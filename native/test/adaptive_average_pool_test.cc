// Adaptive average pooling beside a plain loop.
#include <algorithm>

#include "test_support.h"

namespace vtb::test {
namespace {

struct Size {
  int32_t height, width;
};

double mean_of_bin(const float* map, int32_t channels, Size size, Size out, int32_t y, int32_t x) {
  const auto begin = [](int32_t i, int32_t n, int32_t length) { return i * length / n; };
  const auto end = [](int32_t i, int32_t n, int32_t length) { return ((i + 1) * length + n - 1) / n; };
  double sum = 0;
  int32_t count = 0;
  for (int32_t j = begin(y, out.height, size.height); j < end(y, out.height, size.height); ++j) {
    for (int32_t i = begin(x, out.width, size.width); i < end(x, out.width, size.width); ++i, ++count) {
      sum += map[(int64_t{j} * size.width + i) * channels];
    }
  }
  return sum / count;
}

void check(const Pool& pool, int32_t batch, Size size, Size out_size, int32_t channels, Edge edge) {
  const int64_t map = int64_t{size.height} * size.width * channels;
  const auto in = random_floats(batch * map, size.width + channels, edge);
  Guarded<float> out(int64_t{batch} * out_size.height * out_size.width * channels, edge);
  const vtb_adaptive_average_pool_args args = {batch,           size.height,    size.width, channels,
                                               out_size.height, out_size.width, in.data(),  out.data()};
  ASSERT_EQ(vtb_adaptive_average_pool(pool, &args), VTB_OK);
  std::vector<double> expected;
  for (int32_t b = 0; b < batch; ++b) {
    for (int32_t y = 0; y < out_size.height; ++y) {
      for (int32_t x = 0; x < out_size.width; ++x) {
        for (int32_t c = 0; c < channels; ++c) {
          expected.push_back(mean_of_bin(in.data() + b * map + c, channels, size, out_size, y, x));
        }
      }
    }
  }
  // Means of values below 1: partial sums below 10 rounded once a position, or six roundings.
  const double positions = std::max<double>(6, int64_t{size.height} * size.width);
  ASSERT_LE(difference(out, expected).max_abs, std::min(40.0, positions) * 0x1p-24)
      << size.height << " x " << size.width << " to " << out_size.height << " x " << out_size.width << ", " << channels
      << " channels";
}

TEST(AdaptiveAveragePool, EverySizeToEverySize) {
  const Size sizes[] = {{1, 1}, {1, 7}, {5, 1}, {2, 3}, {7, 7}, {9, 14}, {16, 16}};
  for (int32_t threads : {1, 3}) {
    Pool pool(threads);
    for (Size size : sizes) {
      for (Size out : sizes) {
        for (int32_t channels : {1, 5, 16, 17, 35}) {
          for (Edge edge : both_edges) check(pool, 1, size, out, channels, edge);
        }
        check(pool, 3, size, out, 20, Edge::back);
      }
    }
  }
}

TEST(AdaptiveAveragePool, TheSameSizeIsACopy) {
  const auto in = random_floats(int64_t{6} * 5 * 19, 3);
  Guarded<float> out(in.size());
  const vtb_adaptive_average_pool_args args = {1, 6, 5, 19, 6, 5, in.data(), out.data()};
  ASSERT_EQ(vtb_adaptive_average_pool(Pool(2), &args), VTB_OK);
  for (int64_t i = 0; i < in.size(); ++i) ASSERT_EQ(out[i], in[i]);
}

}  // namespace
}  // namespace vtb::test
