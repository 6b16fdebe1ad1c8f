#include "simd/generic.h"

#include "gemm/gemm_bf16.h"

namespace vtb::generic {

// 8 sums, both halves of 2 weights and of the row's word: 14 of 16 registers.
const GemmKernel gemm_bf16 = {"gemm_bf16_4x8__generic", 4,       8,      2, 2, 1, 1, multiply_rows<Bf16, 4, 2, 2>,
                              stage_bf16_rows,          nullptr, nullptr};

}  // namespace vtb::generic
