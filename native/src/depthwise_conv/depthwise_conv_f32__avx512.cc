#include "simd/avx512.h"

namespace vtb::avx512 {

// 14 sums, 7 weights and an input of 32 registers.
constexpr int strip_outputs = 14;

}  // namespace vtb::avx512

#include "depthwise_conv/depthwise_conv_f32.h"

const vtb::DepthwiseConvKernel vtb::depthwise_conv_f32_avx512 = {"depthwise_conv_f32__avx512", avx512::convolve_scratch,
                                                                 avx512::convolve_block};
