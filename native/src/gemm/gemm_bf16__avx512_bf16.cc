#define VTB_ISA avx512_bf16
#include "simd/avx512.h"

#include "gemm/gemm_bf16.h"

// 28 sums, 2 weights and the row's word: 31 of 32 registers.
const vtb::GemmKernel vtb::gemm_bf16_avx512_bf16 =
    avx512_bf16::register_tiles<avx512_bf16::Bf16, 14, 2, 2>("gemm_bf16_14x32__avx512_bf16");
