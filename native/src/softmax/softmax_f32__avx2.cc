#include "simd/avx2.h"

#include "softmax/softmax_f32.h"

const vtb::SoftmaxKernel vtb::softmax_f32_avx2 = {"softmax_f32__avx2", avx2::softmax_row};
