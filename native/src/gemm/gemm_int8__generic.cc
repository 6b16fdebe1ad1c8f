#include "simd/generic.h"

#include "gemm/gemm_int8.h"

namespace vtb::generic {

// 8 sums, both halves of a weight and of the row's word: as many as the other kernels of this level.
const GemmKernel gemm_int8 = {"gemm_int8_4x8__generic", 4,       8,      2, 4, 1, 1, multiply_rows<Int8, 4, 2, 2>,
                              stage_int8_rows,          nullptr, nullptr};

}  // namespace vtb::generic
