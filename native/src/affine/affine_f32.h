// Body of the affine kernel; included after a simd header.
#pragma once

#include "affine/affine.h"
#include "simd/fast_activations.h"
#include "simd/partial.h"

namespace vtb::VTB_ISA {

// Of one row. A null factor, scale or shift is left out.
template <typename Activate>
static inline void affine_row(const float* in, const float* factor, const float* scale, const float* shift,
                              int64_t channels, float* out, const Activate& activated) {
  const auto up_to = [&](int64_t c, int64_t n) {
    Vec x = load_up_to(in + c, n);
    if (factor) x = x * load_up_to(factor + c, n);
    if (scale) x = x * load_up_to(scale + c, n);
    if (shift) x = x + load_up_to(shift + c, n);
    store_up_to(activated(x), out + c, n);
  };
  int64_t c = 0;
  for (; c + Vec::width <= channels; c += Vec::width) up_to(c, Vec::width);
  if (c < channels) up_to(c, channels - c);
}

static void run_affine(const vtb_affine_args& args, int64_t begin, int64_t end) {
  const int64_t channels = args.channels;
  for (int64_t row = begin; row < end; ++row) {
    const float* in = args.in + row * channels;
    const float* factor = args.factor ? args.factor + row / args.positions * channels : nullptr;
    float* out = args.out + row * channels;
    if (args.activation == VTB_IDENTITY) {
      affine_row(in, factor, args.scale, args.shift, channels, out, [](Vec x) { return x; });
    } else {
      affine_row(in, factor, args.scale, args.shift, channels, out,
                 [&](Vec x) { return fast_activate(args.activation, x); });
    }
  }
}

}  // namespace vtb::VTB_ISA
