#include "simd/avx2.h"

#include "gemm/gemm_f32.h"

namespace vtb::avx2 {

// 12 sums, 3 weights and the row's element: all 16 registers.
const GemmKernel gemm_f32 = {"gemm_f32_4x24__avx2", 4,       24,     4, 1, 1, 1, multiply_rows<Fp32, 4, 3, 4>,
                             stage_f32_rows,        nullptr, nullptr};

}  // namespace vtb::avx2
