#define VTB_ISA avx512_bf16
#include "simd/avx512.h"

#include "measure/measure.h"

namespace vtb::avx512_bf16 {

// Latency (6) times issue width (2) asks for 12 independent chains; 24 leave slack.
static double run_fma(int64_t rounds, float* sink) {
  constexpr int chains = 24, unroll = 4;
  Vec sums[chains];
#pragma GCC unroll 24
  for (int c = 0; c < chains; ++c) sums[c] = Vec::broadcast(static_cast<float>(c));
  const __m512bh x = (__m512bh)_mm512_set1_epi16(0x3c00), y = (__m512bh)_mm512_set1_epi16(0x3b80);  // 2^-7, 2^-8
  for (int64_t round = 0; round < rounds; ++round) {
    for (int u = 0; u < unroll; ++u) {
#pragma GCC unroll 24
      for (int c = 0; c < chains; ++c) sums[c].v = _mm512_dpbf16_ps(sums[c].v, x, y);
    }
  }
  Vec total = sums[0];
#pragma GCC unroll 24
  for (int c = 1; c < chains; ++c) total = total + sums[c];
  *sink = reduce_add(total);
  return 4.0 * Vec::width * chains * unroll * static_cast<double>(rounds);
}

}  // namespace vtb::avx512_bf16

const vtb::FmaKernel vtb::fma_bf16_avx512_bf16 = {"fma_bf16__avx512_bf16", avx512_bf16::run_fma};
