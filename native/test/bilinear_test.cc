// Bilinear resizing beside the tent function.
#include <algorithm>

#include "test_support.h"

namespace vtb::test {
namespace {

struct Size {
  int32_t height, width;
};

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

void check(const Pool& pool, int32_t batch, Size size, Size out_size, int32_t channels, Edge edge) {
  const int64_t map = int64_t{size.height} * size.width * channels;
  const auto in = random_floats(batch * map, size.width + channels, edge);
  Guarded<float> out(int64_t{batch} * out_size.height * out_size.width * channels, edge);
  const vtb_bilinear_args args = {batch,           size.height,    size.width, channels,
                                  out_size.height, out_size.width, in.data(),  out.data()};
  ASSERT_EQ(vtb_bilinear(pool, &args), VTB_OK);
  std::vector<double> expected;
  for (int32_t b = 0; b < batch; ++b) {
    for (int32_t y = 0; y < out_size.height; ++y) {
      for (int32_t x = 0; x < out_size.width; ++x) {
        for (int32_t c = 0; c < channels; ++c) {
          expected.push_back(bilinear(in.data() + b * map + c, channels, size, out_size, y, x));
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

TEST(Bilinear, EverySizeToEverySize) {
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

TEST(Bilinear, TheSameSizeIsACopy) {
  const auto in = random_floats(int64_t{6} * 5 * 19, 3);
  Guarded<float> out(in.size());
  const vtb_bilinear_args args = {1, 6, 5, 19, 6, 5, in.data(), out.data()};
  ASSERT_EQ(vtb_bilinear(Pool(2), &args), VTB_OK);
  for (int64_t i = 0; i < in.size(); ++i) ASSERT_EQ(out[i], in[i]);
}

}  // namespace
}  // namespace vtb::test
