#include "simd/generic.h"

#include "gemm/gemm_bf16.h"

// 8 sums, both halves of 2 weights and of the row's word: 14 of 16 registers.
const vtb::GemmKernel vtb::gemm_bf16_generic =
    generic::register_tiles<generic::Bf16, 4, 2, 2>("gemm_bf16_4x8__generic");
