#include "simd/avx512.h"

#include "winograd_conv/winograd_conv_f32.h"

namespace vtb::avx512 {

const WinogradConvKernel winograd_conv_f32 = {"winograd_conv_f32__avx512", transform_in, transform_out};

}  // namespace vtb::avx512
