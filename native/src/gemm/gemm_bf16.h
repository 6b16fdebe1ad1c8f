// bf16 arithmetic of the GEMM: products of bf16, summed in fp32; included after a simd header.
#pragma once

#include "gemm/register_tile.h"
#include "shared/rows_f32.h"

namespace vtb::VTB_ISA {

struct Bf16 : FloatSums {
  static constexpr int k_per_word = 2;

  // The sum takes the upper product first, as VDPBF16PS does. Products of bf16 are exact in fp32, so all levels give
  // the same bits, subnormal numbers aside; but for amx, whose tiles sum upper and lower products apart.
  static Vec multiply_add(Vec x, Vec weight, Vec sum) {
#ifdef __AVX512BF16__
    return {_mm512_dpbf16_ps(sum.v, (__m512bh)x.v, (__m512bh)weight.v)};
#else
    return fma(lower_bf16(x), lower_bf16(weight), fma(upper_bf16(x), upper_bf16(weight), sum));
#endif
  }

  template <typename Tiles, int sums, int a, int b>
  static void dot() {
    Tiles::template dot<sums, a, b>();
  }

  static Vec gelu(Vec x) { return gelu_for_bf16(x); }

  static void stage_rows(const RowOperand& operand, int64_t begin, int64_t end, float* out, int32_t words,
                         int64_t stride, float* gathered) {
    uint16_t* rows = reinterpret_cast<uint16_t*>(out);
    read_rows(operand, begin, end, rows, 2 * stride, gathered);
    const int32_t padding = 2 * words - operand.columns;
    if (padding == 0) return;
    for (int64_t row = begin; row < end; ++row, rows += 2 * stride) {
      __builtin_memset(rows + operand.columns, 0, padding * sizeof *rows);
    }
  }
};

}  // namespace vtb::VTB_ISA
