#include <algorithm>

#include "test_support.h"

namespace vtb::test {
namespace {

std::vector<double> softmax(const Array& in, int32_t channels) {
  std::vector<double> out(in.size());
  for (int64_t first = 0; first < in.size(); first += channels) {
    double largest = in[first], sum = 0;
    for (int32_t c = 0; c < channels; ++c) largest = std::max(largest, in[first + c]);
    for (int32_t c = 0; c < channels; ++c) sum += std::exp(in[first + c] - largest);
    for (int32_t c = 0; c < channels; ++c) out[first + c] = std::exp(in[first + c] - largest) / sum;
  }
  return out;
}

TEST(Softmax, OddShapesAndBlocks) {
  for (const DType& dtype : dtypes) {
    for (int32_t channels : {1, 2, 7, 8, 64, 100, 1000, 1001}) {
      for (Dim block : {Dim{0, 0}, Dim{1, 4}, Dim{8, 8}, Dim{32, 3}, Dim{64, 2}, Dim{128, 1}}) {
        if (block.y == 3 && block.x < 32) continue;
        for (int32_t rows : {1, 9}) {
          for (int64_t offset : {0, 1}) {
            const Array in = Array::random(dtype, int64_t{rows} * channels, channels, offset, 20);
            const Array out(dtype, in.size(), offset);
            run(vtbc_softmax_launch, {rows, channels, in.address(), out.address()}, dtype, 2, block);
            // The rounding of x - max is an absolute error of the exponent, up to 40 * 2^-24.
            ASSERT_LE(difference(out.read(), softmax(in, channels)), dtype.rounding + 50 * 0x1p-24)
                << dtype.suffix << " " << rows << " x " << channels << " block " << block.x << " x " << block.y;
          }
        }
      }
    }
  }
}

TEST(Softmax, InPlaceMinusInfinityAndNaN) {
  std::vector<float> values(2 * 19);
  Random random(6);
  for (float& x : values) x = random.signed_unit() - 1000;
  values[4] = -std::numeric_limits<float>::infinity();
  values[19 + 18] = std::numeric_limits<float>::quiet_NaN();
  const Array x(f32, values);
  run(vtbc_softmax_launch, {2, 19, x.address(), x.address()}, f32);
  const std::vector<double> actual = x.read();
  EXPECT_EQ(actual[4], 0);
  for (int i = 0; i < 19; ++i) {
    EXPECT_TRUE(std::isfinite(actual[i]));
    EXPECT_TRUE(std::isnan(actual[19 + i]));
  }
}

}  // namespace
}  // namespace vtb::test
