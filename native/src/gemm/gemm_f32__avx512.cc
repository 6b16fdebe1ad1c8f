#include "simd/avx512.h"

#include "gemm/gemm_f32.h"

// 28 sums, 2 weights and the row's element: 31 of 32 registers.
const vtb::GemmKernel vtb::gemm_f32_avx512 = avx512::register_tiles<avx512::Fp32, 14, 2, 2>("gemm_f32_14x32__avx512");
