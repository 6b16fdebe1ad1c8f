#include "simd/avx512.h"

#include "softmax/softmax_f32.h"

const vtb::SoftmaxKernel vtb::softmax_f32_avx512 = {"softmax_f32__avx512", avx512::softmax_row};
