#include "simd/avx2.h"

namespace vtb::avx2 {

// 7 sums, 7 weights and an input of 16 registers.
constexpr int strip_outputs = 7;

}  // namespace vtb::avx2

#include "depthwise_conv/depthwise_conv_f32.h"

namespace vtb::avx2 {

const DepthwiseConvKernel depthwise_conv_f32 = {"depthwise_conv_f32__avx2", convolve_scratch, convolve_block};

}  // namespace vtb::avx2
