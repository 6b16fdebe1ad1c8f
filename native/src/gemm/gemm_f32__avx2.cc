#include "simd/avx2.h"

#include "gemm/gemm_f32.h"

// 12 sums, 3 weights and the row's element: all 16 registers.
const vtb::GemmKernel vtb::gemm_f32_avx2 = avx2::register_tiles<avx2::Fp32, 4, 3, 4>("gemm_f32_4x24__avx2");
