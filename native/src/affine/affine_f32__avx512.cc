#include "simd/avx512.h"

#include "affine/affine_f32.h"

const vtb::AffineKernel vtb::affine_f32_avx512 = {"affine_f32__avx512", avx512::run_affine};
