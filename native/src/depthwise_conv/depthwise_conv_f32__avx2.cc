#include "simd/avx2.h"

namespace vtb::avx2 {

// 7 sums, 7 weights and an input of 16 registers.
constexpr int strip_outputs = 7;

}  // namespace vtb::avx2

#include "depthwise_conv/depthwise_conv_f32.h"

const vtb::DepthwiseConvKernel vtb::depthwise_conv_f32_avx2 = {"depthwise_conv_f32__avx2", avx2::convolve_scratch,
                                                               avx2::convolve_block};
