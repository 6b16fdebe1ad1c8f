#include "simd/generic.h"

#include "gemm/gemm_int8.h"

// 8 sums, both halves of a weight and of the row's word: as many as the other kernels of this level.
const vtb::GemmKernel vtb::gemm_int8_generic = {
    "gemm_int8_4x8__generic", 4,       8,      2, 4, 1, 1, generic::multiply_rows<generic::Int8, 4, 2, 2>,
    generic::stage_int8_rows, nullptr, nullptr};
