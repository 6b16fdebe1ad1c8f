#include "simd/avx512.h"

#include "gemm/gemm_bf16.h"

// 24 sums, both halves of 2 weights and of the row's word: 30 of 32 registers.
const vtb::GemmKernel vtb::gemm_bf16_avx512 = avx512::register_tiles<avx512::Bf16, 12, 2, 2>("gemm_bf16_12x32__avx512");
