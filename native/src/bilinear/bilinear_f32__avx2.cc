#include "simd/avx2.h"

#include "bilinear/bilinear_f32.h"

const vtb::BilinearKernel vtb::bilinear_f32_avx2 = {"bilinear_f32__avx2", avx2::interpolate};
