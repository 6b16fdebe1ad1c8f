// Bilinear resizing beside the tent function.
#include "resize_check.h"

namespace vtb::test {
namespace {

double bilinear(const float* map, int32_t channels, Size size, Size out, int32_t y, int32_t x) {
  // The tent function over all positions, those beyond the edges clamped to it.
  const double row = (y + 0.5) * size.height / out.height - 0.5, column = (x + 0.5) * size.width / out.width - 0.5;
  double sum = 0;
  for (int32_t j = -1; j <= size.height; ++j) {
    for (int32_t i = -1; i <= size.width; ++i) {
      const double weight = std::max(0.0, 1 - std::fabs(row - j)) * std::max(0.0, 1 - std::fabs(column - i));
      const int64_t from_y = std::clamp(j, 0, size.height - 1), from_x = std::clamp(i, 0, size.width - 1);
      sum += weight * map[(from_y * size.width + from_x) * channels];
    }
  }
  return sum;
}

constexpr Resize<vtb_bilinear_args> resize = {vtb_bilinear, bilinear};

TEST(Bilinear, EverySizeToEverySize) { check_every_size_to_every_size(resize); }

TEST(Bilinear, RandomArguments) { check_random_sizes(resize); }

TEST(Bilinear, TheSameSizeIsACopy) { check_that_the_same_size_is_a_copy(resize); }

}  // namespace
}  // namespace vtb::test
