#include "simd/avx512.h"

#include "softmax/softmax_f32.h"

namespace vtb::avx512 {

const SoftmaxKernel softmax_f32 = {"softmax_f32__avx512", softmax_row};

}  // namespace vtb::avx512
