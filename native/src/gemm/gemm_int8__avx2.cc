#include "simd/avx2.h"

#include "gemm/gemm_int8.h"

// 8 sums, both halves of 2 weights and of the row's word: 14 of 16 registers.
const vtb::GemmKernel vtb::gemm_int8_avx2 = avx2::register_tiles<avx2::Int8, 4, 2, 2>("gemm_int8_4x16__avx2");
