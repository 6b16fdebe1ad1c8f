#include "simd/generic.h"

#include "gemm/gemm_int8.h"

// 8 sums, both halves of a weight and of the row's word: as many as the other kernels of this level.
const vtb::GemmKernel vtb::gemm_int8_generic =
    generic::register_tiles<generic::Int8, 4, 2, 2>("gemm_int8_4x8__generic");
