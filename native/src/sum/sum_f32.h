// Body of the sum kernel; included after a simd header.
#pragma once

#include "simd/math.h"
#include "simd/partial.h"
#include "sum/sum.h"

namespace vtb::VTB_ISA {

template <int terms>
static void sum_row(const float* const* term, int32_t channels, int32_t activation, float* out) {
  for (int32_t c = 0; c < channels; c += Vec::width) {
    Vec sum = Vec::zero();
    for (int t = 0; t < terms; ++t) sum = sum + load_up_to(term[t] + c, channels - c);
    store_up_to(activate(activation, sum), out + c, channels - c);
  }
}

static void run_sum(const vtb_sum_args& args, int64_t begin, int64_t end) {
  const float* const in[] = {args.in0, args.in1, args.in2};
  const int32_t* const map[] = {args.map0, args.map1, args.map2};
  for (int64_t i = begin; i < end; ++i) {
    const float* term[3];
    int present = 0;
    for (int t = 0; t < args.terms; ++t) {
      const int64_t row = map[t] ? map[t][i] : i;
      if (row >= 0) term[present++] = in[t] + row * args.channels;
    }
    float* out = args.out + i * args.channels;
    switch (present) {
      case 0: sum_row<0>(term, args.channels, args.activation, out); break;
      case 1: sum_row<1>(term, args.channels, args.activation, out); break;
      case 2: sum_row<2>(term, args.channels, args.activation, out); break;
      default: sum_row<3>(term, args.channels, args.activation, out);
    }
  }
}

}  // namespace vtb::VTB_ISA
