// Body of the pooling kernel; included after a simd header.
#pragma once

#include "mean_pool/mean_pool.h"

namespace vtb::VTB_ISA {

static void mean_pool(const float* in, int64_t stride, int32_t tokens, int32_t channels, float* out) {
  constexpr int w = Vec::width;
  const Vec count = Vec::broadcast(static_cast<float>(tokens));
  int32_t c = 0;
  for (; c + 4 * w <= channels; c += 4 * w) {
    Vec s0 = Vec::zero(), s1 = s0, s2 = s0, s3 = s0;
    for (int32_t t = 0; t < tokens; ++t) {
      const float* row = in + t * stride + c;
      s0 = s0 + Vec::load(row);
      s1 = s1 + Vec::load(row + w);
      s2 = s2 + Vec::load(row + 2 * w);
      s3 = s3 + Vec::load(row + 3 * w);
    }
    (s0 / count).store(out + c);
    (s1 / count).store(out + c + w);
    (s2 / count).store(out + c + 2 * w);
    (s3 / count).store(out + c + 3 * w);
  }
  for (; c + w <= channels; c += w) {
    Vec sum = Vec::zero();
    for (int32_t t = 0; t < tokens; ++t) sum = sum + Vec::load(in + t * stride + c);
    (sum / count).store(out + c);
  }
  const int tail = channels - c;
  if (tail == 0) return;
  Vec sum = Vec::zero();
  for (int32_t t = 0; t < tokens; ++t) sum = sum + Vec::load_partial(in + t * stride + c, tail);
  (sum / count).store_partial(out + c, tail);
}

}  // namespace vtb::VTB_ISA
