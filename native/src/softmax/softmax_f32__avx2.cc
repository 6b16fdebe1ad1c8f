#include "simd/avx2.h"

#include "softmax/softmax_f32.h"

namespace vtb::avx2 {

const SoftmaxKernel softmax_f32 = {"softmax_f32__avx2", softmax_row};

}  // namespace vtb::avx2
