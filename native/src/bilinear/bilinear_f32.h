// Body of the bilinear kernel; included after a simd header.
#pragma once

#include "bilinear/bilinear.h"
#include "simd/partial.h"

namespace vtb::VTB_ISA {

static void interpolate(const float* upper_left, const float* upper_right, const float* lower_left,
                        const float* lower_right, float across, float down, int32_t channels, float* out) {
  const Vec right = Vec::broadcast(across), left = Vec::broadcast(1 - across);
  const Vec bottom = Vec::broadcast(down), top = Vec::broadcast(1 - down);
  for (int32_t c = 0; c < channels; c += Vec::width) {
    const int32_t n = channels - c;
    const Vec upper = fma(load_up_to(upper_left + c, n), left, load_up_to(upper_right + c, n) * right);
    const Vec lower = fma(load_up_to(lower_left + c, n), left, load_up_to(lower_right + c, n) * right);
    store_up_to(fma(upper, top, lower * bottom), out + c, n);
  }
}

}  // namespace vtb::VTB_ISA
