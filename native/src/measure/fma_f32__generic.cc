#include "simd/generic.h"

#include "measure/fma_f32.h"

const vtb::FmaKernel vtb::fma_f32_generic = {"fma_f32__generic", generic::run_fma};
