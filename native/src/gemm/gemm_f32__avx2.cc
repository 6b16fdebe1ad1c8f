#include "simd/avx2.h"

#include "gemm/gemm_f32.h"

// 12 sums, 3 weights and the row's element: all 16 registers.
const vtb::GemmKernel vtb::gemm_f32_avx2 = {
    "gemm_f32_4x24__avx2", 4,       24,     4, 1, 1, 1, avx2::multiply_rows<avx2::Fp32, 4, 3, 4>,
    avx2::stage_f32_rows,  nullptr, nullptr};
