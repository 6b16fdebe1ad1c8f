#include "simd/avx2.h"

#include "winograd_conv/winograd_conv_f32.h"

namespace vtb::avx2 {

const WinogradConvKernel winograd_conv_f32 = {"winograd_conv_f32__avx2", transform_in, transform_out};

}  // namespace vtb::avx2
