#include "simd/avx2.h"

#include "convolution/convolution_f32.h"

const vtb::ConvolutionKernel vtb::convolution_f32_avx2 = {"convolution_f32__avx2",
                                                          {avx2::transform_in<2>, avx2::transform_out<2>},
                                                          {avx2::transform_in<4>, avx2::transform_out<4>}};
