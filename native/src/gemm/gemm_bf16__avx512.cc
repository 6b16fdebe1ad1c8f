#include "simd/avx512.h"

#include "gemm/gemm_bf16.h"

namespace vtb::avx512 {

// 24 sums, both halves of 2 weights and of the row's word: 30 of 32 registers.
const GemmKernel gemm_bf16 = {"gemm_bf16_12x32__avx512", 12,      32,     2, 2, 1, 1, multiply_rows<Bf16, 12, 2, 2>,
                              stage_bf16_rows,           nullptr, nullptr};

}  // namespace vtb::avx512
