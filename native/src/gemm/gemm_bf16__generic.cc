#include "simd/generic.h"

#include "gemm/gemm_bf16.h"

// 8 sums, both halves of 2 weights and of the row's word: 14 of 16 registers.
const vtb::GemmKernel vtb::gemm_bf16_generic = {
    "gemm_bf16_4x8__generic", 4,       8,      2, 2, 1, 1, generic::multiply_rows<generic::Bf16, 4, 2, 2>,
    generic::stage_bf16_rows, nullptr, nullptr};
