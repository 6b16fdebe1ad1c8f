#include "simd/avx2.h"

#include "affine/affine_f32.h"

const vtb::AffineKernel vtb::affine_f32_avx2 = {"affine_f32__avx2", avx2::run_affine};
