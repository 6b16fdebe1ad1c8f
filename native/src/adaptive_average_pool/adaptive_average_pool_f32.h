// Body of the adaptive average pooling kernel; included after a simd header.
#pragma once

#include "adaptive_average_pool/adaptive_average_pool.h"
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

}  // namespace vtb::VTB_ISA
