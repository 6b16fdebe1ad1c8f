#include "simd/avx512.h"

#include "measure/fma_f32.h"

const vtb::FmaKernel vtb::fma_f32_avx512 = {"fma_f32__avx512", avx512::run_fma};
