// Adaptive average pooling beside a plain loop.
#include "resize_check.h"

namespace vtb::test {
namespace {

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

constexpr Resize<vtb_adaptive_average_pool_args> resize = {vtb_adaptive_average_pool, mean_of_bin};

TEST(AdaptiveAveragePool, EverySizeToEverySize) { check_every_size_to_every_size(resize); }

TEST(AdaptiveAveragePool, RandomArguments) { check_random_sizes(resize); }

TEST(AdaptiveAveragePool, TheSameSizeIsACopy) { check_that_the_same_size_is_a_copy(resize); }

}  // namespace
}  // namespace vtb::test
