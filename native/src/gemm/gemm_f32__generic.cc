#include "simd/generic.h"

#include "gemm/gemm_f32.h"

namespace vtb::generic {

// 8 sums, 2 weights, the row's element and a product: 12 of 16 registers.
const GemmKernel gemm_f32 = {"gemm_f32_4x8__generic", 4,       8,      2, 1, 1, 1, multiply_rows<Fp32, 4, 2, 2>,
                             stage_f32_rows,          nullptr, nullptr};

}  // namespace vtb::generic
