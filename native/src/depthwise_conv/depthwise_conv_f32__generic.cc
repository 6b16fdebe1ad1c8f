#include "simd/generic.h"

namespace vtb::generic {

// 7 sums, 7 weights and an input of 16 registers.
constexpr int strip_outputs = 7;

}  // namespace vtb::generic

#include "depthwise_conv/depthwise_conv_f32.h"

namespace vtb::generic {

const DepthwiseConvKernel depthwise_conv_f32 = {"depthwise_conv_f32__generic", convolve_scratch, convolve_block};

}  // namespace vtb::generic
