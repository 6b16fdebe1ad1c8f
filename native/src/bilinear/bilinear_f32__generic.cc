#include "simd/generic.h"

#include "bilinear/bilinear_f32.h"

const vtb::BilinearKernel vtb::bilinear_f32_generic = {"bilinear_f32__generic", generic::interpolate};
