#include "simd/avx2.h"

#include "gemm/gemm_int8.h"

namespace vtb::avx2 {

// 8 sums, both halves of 2 weights and of the row's word: 14 of 16 registers.
const GemmKernel gemm_int8 = {"gemm_int8_4x16__avx2", 4,       16,     2, 4, 1, 1, multiply_rows<Int8, 4, 2, 2>,
                              stage_int8_rows,        nullptr, nullptr};

}  // namespace vtb::avx2
