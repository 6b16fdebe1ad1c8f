#include "simd/generic.h"

#include "softmax/softmax_f32.h"

namespace vtb::generic {

const SoftmaxKernel softmax_f32 = {"softmax_f32__generic", softmax_row};

}  // namespace vtb::generic
