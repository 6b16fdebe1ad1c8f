#include "simd/generic.h"

namespace vtb::generic {

// 7 sums, 7 weights and an input of 16 registers.
constexpr int strip_outputs = 7;

}  // namespace vtb::generic

#include "depthwise_conv/depthwise_conv_f32.h"

const vtb::DepthwiseConvKernel vtb::depthwise_conv_f32_generic = {"depthwise_conv_f32__generic",
                                                                  generic::convolve_scratch, generic::convolve_block};
