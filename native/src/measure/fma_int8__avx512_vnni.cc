#define VTB_ISA avx512_vnni
#include "simd/avx512.h"

#include "measure/measure.h"

namespace vtb::avx512_vnni {

// Chains as of bf16; what they start as differs, or the compiler would make them one.
static double run_fma(int64_t rounds, float* sink) {
  constexpr int chains = 24, unroll = 4;
  Vec sums[chains];
#pragma GCC unroll 24
  for (int c = 0; c < chains; ++c) sums[c] = Vec::broadcast(static_cast<float>(c));
  const Vec ones = {_mm512_castsi512_ps(_mm512_set1_epi8(1))};
  for (int64_t round = 0; round < rounds; ++round) {
    for (int u = 0; u < unroll; ++u) {
#pragma GCC unroll 24
      for (int c = 0; c < chains; ++c) sums[c] = dot_bytes(ones, ones, sums[c]);
    }
  }
  Vec total = Vec::zero();
#pragma GCC unroll 24
  for (int c = 0; c < chains; ++c) total = total + from_int32(sums[c]);
  *sink = reduce_add(total);
  return 8.0 * Vec::width * chains * unroll * static_cast<double>(rounds);
}

}  // namespace vtb::avx512_vnni

const vtb::FmaKernel vtb::fma_int8_avx512_vnni = {"fma_int8__avx512_vnni", avx512_vnni::run_fma};
