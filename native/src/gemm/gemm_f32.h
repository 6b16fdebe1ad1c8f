// fp32 arithmetic of the GEMM; included after a simd header.
#pragma once

#include "gemm/register_tile.h"
#include "shared/rows_f32.h"

namespace vtb::VTB_ISA {

struct Fp32 : FloatSums {
  static constexpr int k_per_word = 1;

  static Vec multiply_add(Vec x, Vec weight, Vec sum) { return fma(x, weight, sum); }

  static Vec gelu(Vec x) { return fast_gelu(x); }

  static void stage_rows(const RowOperand& operand, int64_t begin, int64_t end, float* out, int32_t, int64_t stride,
                         float*) {
    read_rows(operand, begin, end, out, stride, nullptr);
  }
};

}  // namespace vtb::VTB_ISA
