// The kernel of vtb_softmax.
#pragma once

#include <cstdint>

#include "vertebra.h"

namespace vtb {

struct SoftmaxKernel {
  const char* name;
  void (*row)(const float* in, int32_t channels, float* out);
};

namespace generic {
extern const SoftmaxKernel softmax_f32;
}
namespace avx2 {
extern const SoftmaxKernel softmax_f32;
}
namespace avx512 {
extern const SoftmaxKernel softmax_f32;
}

}  // namespace vtb
