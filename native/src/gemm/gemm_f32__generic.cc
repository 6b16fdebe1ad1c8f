#include "simd/generic.h"

#include "gemm/gemm_f32.h"

// 8 sums, 2 weights, the row's element and a product: 12 of 16 registers.
const vtb::GemmKernel vtb::gemm_f32_generic = generic::register_tiles<generic::Fp32, 4, 2, 2>("gemm_f32_4x8__generic");
