// Body of the softmax kernel; included after a simd header.
#pragma once

#include "simd/math.h"
#include "softmax/softmax.h"

namespace vtb::VTB_ISA {

static void softmax_row(const float* in, int32_t channels, float* out) {
  constexpr int w = Vec::width;
  const int32_t whole = channels - channels % w;
  const int tail = channels - whole;
  const Mask in_row = first_lanes(tail);

  // The first element stands in for the lanes that hold none.
  Vec largest = Vec::broadcast(in[0]);
  for (int32_t i = 0; i < whole; i += w) largest = max(largest, Vec::load(in + i));
  largest = max(largest, blend(in_row, Vec::load_partial(in + whole, tail), largest));
  const Vec shift = Vec::broadcast(reduce_max(largest));

  Vec sum = Vec::zero();
  for (int32_t i = 0; i < whole; i += w) {
    const Vec e = exp(Vec::load(in + i) - shift);
    e.store(out + i);
    sum = sum + e;
  }
  const Vec e = blend(in_row, exp(Vec::load_partial(in + whole, tail) - shift), Vec::zero());
  e.store_partial(out + whole, tail);
  const Vec scale = Vec::broadcast(1.0f / reduce_add(sum + e));

  for (int32_t i = 0; i < whole; i += w) (Vec::load(out + i) * scale).store(out + i);
  (Vec::load_partial(out + whole, tail) * scale).store_partial(out + whole, tail);
}

}  // namespace vtb::VTB_ISA
