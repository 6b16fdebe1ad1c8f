#include "simd/avx512.h"

#include "winograd_conv/winograd_conv_f32.h"

namespace vtb::avx512 {

const WinogradConvKernel winograd_conv_f32 = {
    "winograd_conv_f32__avx512", {transform_in<2>, transform_out<2>}, {transform_in<4>, transform_out<4>}};

}  // namespace vtb::avx512
