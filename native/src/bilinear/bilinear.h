// The kernel of vtb_bilinear.
#pragma once

#include <cstdint>

#include "vertebra.h"

namespace vtb {

struct BilinearKernel {
  const char* name;
  // Between four positions: `across` of the way from left to right, `down` of the way from upper to lower.
  void (*interpolate)(const float* upper_left, const float* upper_right, const float* lower_left,
                      const float* lower_right, float across, float down, int32_t channels, float* out);
};

extern const BilinearKernel bilinear_f32_generic, bilinear_f32_avx2, bilinear_f32_avx512;

}  // namespace vtb
