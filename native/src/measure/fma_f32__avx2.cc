#include "simd/avx2.h"

#include "measure/fma_f32.h"

const vtb::FmaKernel vtb::fma_f32_avx2 = {"fma_f32__avx2", avx2::run_fma};
