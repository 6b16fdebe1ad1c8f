// Bodies of the resize kernels; included after a simd header.
#pragma once

#include "resize/resize.h"
#include "simd/partial.h"

namespace vtb::VTB_ISA {

static void mean_of_positions(const float* in, int64_t stride, int32_t rows, int32_t columns, int32_t channels,
                              float* out) {
  const Vec scale = Vec::broadcast(1.0f / (static_cast<float>(rows) * static_cast<float>(columns)));
  for (int32_t c = 0; c < channels; c += Vec::width) {
    Vec sum = Vec::zero();
    for (int32_t y = 0; y < rows; ++y) {
      const float* at = in + y * stride + c;
      for (int32_t x = 0; x < columns; ++x, at += channels) sum = sum + load_up_to(at, channels - c);
    }
    store_up_to(sum * scale, out + c, channels - c);
  }
}

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
