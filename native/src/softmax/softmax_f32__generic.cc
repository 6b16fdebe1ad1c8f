#include "simd/generic.h"

#include "softmax/softmax_f32.h"

const vtb::SoftmaxKernel vtb::softmax_f32_generic = {"softmax_f32__generic", generic::softmax_row};
