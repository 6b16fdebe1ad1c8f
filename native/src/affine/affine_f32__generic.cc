#include "simd/generic.h"

#include "affine/affine_f32.h"

const vtb::AffineKernel vtb::affine_f32_generic = {"affine_f32__generic", generic::run_affine};
