// Body of the FMA measurement; included after a simd header.
#pragma once

#include "measure/measure.h"

namespace vtb::VTB_ISA {

// Latency (4) times issue width (2) asks for 8 independent chains; 12 leave slack and fit the 16 registers of AVX2.
static double run_fma(int64_t rounds, float* sink) {
  constexpr int chains = 12, unroll = 8;
  Vec sums[chains];
  for (int c = 0; c < chains; ++c) sums[c] = Vec::broadcast(static_cast<float>(c));
  const Vec factor = Vec::broadcast(0.999f), addend = Vec::broadcast(0.001f);
  for (int64_t round = 0; round < rounds; ++round) {
    for (int u = 0; u < unroll; ++u) {
      for (int c = 0; c < chains; ++c) sums[c] = fma(sums[c], factor, addend);
    }
  }
  Vec total = sums[0];
  for (int c = 1; c < chains; ++c) total = total + sums[c];
  *sink = reduce_add(total);
  return 2.0 * Vec::width * chains * unroll * static_cast<double>(rounds);
}

}  // namespace vtb::VTB_ISA
