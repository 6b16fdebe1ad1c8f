#include "test_support.h"

namespace vtb::test {
namespace {

void check(const DType& from, const DType& to, int32_t count, int64_t offset) {
  const Array in = Array::random(from, count, count, offset, 100), out(to, count);
  launch(std::string("vtb_convert_") + from.suffix + "_" + to.suffix, {2}, {32}, in.address(), out.address(), count);
  const std::vector<double> actual = out.read();
  for (int32_t i = 0; i < count; ++i) {
    const auto value = static_cast<float>(in[i]);
    const double expected = to.id == VTBE_F16    ? __half2float(__float2half_rn(value))
                            : to.id == VTBE_BF16 ? __bfloat162float(__float2bfloat16_rn(value))
                                                 : value;
    ASSERT_EQ(actual[i], expected);
  }
}

TEST(Convert, CountsAndAlignments) {
  for (int32_t count : {1, 7, 8, 1000, 1001}) {
    for (int64_t offset : {0, 1}) {
      for (const DType& half : {f16, bf16}) {
        check(f32, half, count, offset);
        check(half, f32, count, offset);
      }
    }
  }
}

}  // namespace
}  // namespace vtb::test
