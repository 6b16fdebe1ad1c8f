#include "simd/avx512.h"

#include "gemm/gemm_int8.h"

// 24 sums, both halves of 2 weights and of the row's word: 30 of 32 registers.
const vtb::GemmKernel vtb::gemm_int8_avx512 = avx512::register_tiles<avx512::Int8, 12, 2, 2>("gemm_int8_12x32__avx512");
