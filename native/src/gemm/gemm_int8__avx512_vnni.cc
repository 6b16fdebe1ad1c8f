#define VTB_ISA avx512_vnni
#include "simd/avx512.h"

#include "gemm/gemm_int8.h"

namespace vtb::avx512_vnni {

// 28 sums, 2 weights and the row's word: 31 of 32 registers.
const GemmKernel gemm_int8 = {"gemm_int8_14x32__avx512_vnni",
                              14,
                              32,
                              2,
                              4,
                              1,
                              1,
                              multiply_rows<Int8, 14, 2, 2>,
                              stage_int8_rows,
                              nullptr,
                              nullptr};

}  // namespace vtb::avx512_vnni
