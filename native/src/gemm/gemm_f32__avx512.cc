#include "simd/avx512.h"

#include "gemm/gemm_f32.h"

namespace vtb::avx512 {

// 28 sums, 2 weights and the row's element: 31 of 32 registers.
const GemmKernel gemm_f32 = {"gemm_f32_14x32__avx512", 14,      32,     2, 1, 1, 1, multiply_rows<Fp32, 14, 2, 2>,
                             stage_f32_rows,           nullptr, nullptr};

}  // namespace vtb::avx512
