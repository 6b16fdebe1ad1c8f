#include "simd/generic.h"

#include "convolution/convolution_f32.h"

const vtb::ConvolutionKernel vtb::convolution_f32_generic = {"convolution_f32__generic",
                                                             {generic::transform_in<2>, generic::transform_out<2>},
                                                             {generic::transform_in<4>, generic::transform_out<4>}};
