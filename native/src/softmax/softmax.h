// The kernel of vtb_softmax.
#pragma once

#include <cstdint>

#include "vertebra.h"

namespace vtb {

struct SoftmaxKernel {
  const char* name;
  void (*row)(const float* in, int32_t channels, float* out);
};

extern const SoftmaxKernel softmax_f32_generic, softmax_f32_avx2, softmax_f32_avx512;

}  // namespace vtb
