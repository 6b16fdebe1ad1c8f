// Softmax beside a plain loop.
#include <algorithm>
#include <cmath>

#include "test_support.h"

namespace vtb::test {
namespace {

std::vector<double> softmax(const Guarded<float>& in, int32_t channels) {
  std::vector<double> out;
  for (int64_t first = 0; first < in.size(); first += channels) {
    const double largest = *std::max_element(in.begin() + first, in.begin() + first + channels);
    double sum = 0;
    for (int32_t c = 0; c < channels; ++c) sum += std::exp(in[first + c] - largest);
    for (int32_t c = 0; c < channels; ++c) out.push_back(std::exp(in[first + c] - largest) / sum);
  }
  return out;
}

void check(const Pool& pool, int32_t rows, int32_t channels, float scale, Edge edge) {
  const auto in = random_floats(int64_t{rows} * channels, channels, edge, scale);
  Guarded<float> out(in.size(), edge);
  const vtb_softmax_args args = {rows, channels, in.data(), out.data()};
  ASSERT_EQ(vtb_softmax(pool, &args), VTB_OK);
  // The rounding of x - max is an absolute error of the exponent, up to 160 * 2^-24; else a few ulp.
  const double tolerance = (4 + scale) * 0x1p-23;
  ASSERT_LE(difference(out, softmax(in, channels)).max_abs, tolerance) << rows << " x " << channels;
}

TEST(Softmax, RandomArguments) {
  for_random_cases([](Random& random) {
    check(Pool(random.between(1, 4)), random.between(1, 80), random.between(1, 300), random.coin() ? 1 : 80,
          random.edge());
  });
}

TEST(Softmax, OddShapes) {
  for (int32_t threads : {1, 2, 3}) {
    Pool pool(threads);
    for (int32_t rows : {1, 5, 100}) {
      for (int32_t channels : {1, 2, 3, 7, 8, 9, 15, 16, 17, 49, 1000, 1001}) {
        for (float scale : {1.0f, 80.0f}) {
          for (Edge edge : both_edges) check(pool, rows, channels, scale, edge);
        }
      }
    }
  }
}

TEST(Softmax, InPlaceAndAllNegative) {
  Pool pool(1);
  auto x = random_floats(3 * 21, 4);
  for (float& value : x) value = 50 * value - 1000;  // zeros beyond the row's end must not count as the largest
  const std::vector<double> expected = softmax(x, 21);
  const vtb_softmax_args args = {3, 21, x.data(), x.data()};
  ASSERT_EQ(vtb_softmax(pool, &args), VTB_OK);
  EXPECT_LE(difference(x, expected).max_abs, 1e-5);
}

TEST(Softmax, MinusInfinityIsNothingAndNaNIsSeen) {
  Pool pool(1);
  auto x = random_floats(2 * 19, 6);
  x[4] = -std::numeric_limits<float>::infinity();
  x[19 + 18] = std::numeric_limits<float>::quiet_NaN();
  const vtb_softmax_args args = {2, 19, x.data(), x.data()};
  ASSERT_EQ(vtb_softmax(pool, &args), VTB_OK);
  EXPECT_EQ(x[4], 0);
  for (int i = 0; i < 19; ++i) {
    EXPECT_TRUE(std::isfinite(x[i]));
    EXPECT_TRUE(std::isnan(x[19 + i]));
  }
}

}  // namespace
}  // namespace vtb::test
