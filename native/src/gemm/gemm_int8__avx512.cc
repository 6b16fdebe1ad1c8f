#include "simd/avx512.h"

#include "gemm/gemm_int8.h"

namespace vtb::avx512 {

// 24 sums, both halves of 2 weights and of the row's word: 30 of 32 registers.
const GemmKernel gemm_int8 = {"gemm_int8_12x32__avx512", 12,      32,     2, 4, 1, 1, multiply_rows<Int8, 12, 2, 2>,
                              stage_int8_rows,           nullptr, nullptr};

}  // namespace vtb::avx512
