#include "simd/avx512.h"

#include "convolution/convolution_f32.h"

const vtb::ConvolutionKernel vtb::convolution_f32_avx512 = {"convolution_f32__avx512",
                                                            {avx512::transform_in<2>, avx512::transform_out<2>},
                                                            {avx512::transform_in<4>, avx512::transform_out<4>}};
