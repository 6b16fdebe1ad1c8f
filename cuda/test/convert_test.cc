#include "test_support.h"

namespace vtb::test {
namespace {

void check(const DType& from, const DType& to, int32_t count, int64_t offset) {
  const Array in = Array::random(from, count, count, offset, 100), out(to, count);
  const int32_t to_f32 = to.id == VTBC_F32;
  const vtbc_convert_args args = {.count = count, .to_f32 = to_f32, .in = in.address(), .out = out.address()};
  const auto names = run(vtbc_convert_launch, args, to_f32 ? from : to, count % 2 ? 2 : 0, {32});
  ASSERT_EQ(names[0], std::string("vtb_convert_") + from.suffix + "_" + to.suffix);
  const std::vector<double> actual = out.read();
  for (int32_t i = 0; i < count; ++i) {
    const auto value = static_cast<float>(in[i]);
    const double expected = to.id == VTBC_F16    ? __half2float(__float2half_rn(value))
                            : to.id == VTBC_BF16 ? __bfloat162float(__float2bfloat16_rn(value))
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
