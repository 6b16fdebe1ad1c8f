#include "simd/avx512.h"

#include "bilinear/bilinear_f32.h"

const vtb::BilinearKernel vtb::bilinear_f32_avx512 = {"bilinear_f32__avx512", avx512::interpolate};
