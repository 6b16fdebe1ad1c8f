#define VTB_ISA avx512_vnni
#include "simd/avx512.h"

#include "gemm/gemm_int8.h"

// 28 sums, 2 weights and the row's word: 31 of 32 registers.
const vtb::GemmKernel vtb::gemm_int8_avx512_vnni =
    avx512_vnni::register_tiles<avx512_vnni::Int8, 14, 2, 2>("gemm_int8_14x32__avx512_vnni");
