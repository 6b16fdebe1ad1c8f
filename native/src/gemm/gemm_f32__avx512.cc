#include "simd/avx512.h"

#include "gemm/gemm_f32.h"

// 28 sums, 2 weights and the row's element: 31 of 32 registers.
const vtb::GemmKernel vtb::gemm_f32_avx512 = {
    "gemm_f32_14x32__avx512", 14,      32,     2, 1, 1, 1, avx512::multiply_rows<avx512::Fp32, 14, 2, 2>,
    avx512::stage_f32_rows,   nullptr, nullptr};
