#include "simd/avx2.h"
#include "simd/math.h"

namespace vtb::avx2 {

// 12 of 16 registers hold sums.
constexpr int tile_rows = 4;
constexpr int tile_vectors = 3;

// The steps of a transposition, see panels_f32.h: by floats and by pairs of them within each half, then by halves.
template <int step>
static inline Vec interleave_low(Vec a, Vec b) {
  if constexpr (step == 0) return {_mm256_unpacklo_ps(a.v, b.v)};
  if constexpr (step == 1) return {_mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(a.v), _mm256_castps_pd(b.v)))};
  return {_mm256_permute2f128_ps(a.v, b.v, 0x20)};
}
template <int step>
static inline Vec interleave_high(Vec a, Vec b) {
  if constexpr (step == 0) return {_mm256_unpackhi_ps(a.v, b.v)};
  if constexpr (step == 1) return {_mm256_castpd_ps(_mm256_unpackhi_pd(_mm256_castps_pd(a.v), _mm256_castps_pd(b.v)))};
  return {_mm256_permute2f128_ps(a.v, b.v, 0x31)};
}

}  // namespace vtb::avx2

#include "window_attention/window_attention_f32.h"

const vtb::WindowAttentionKernel vtb::window_attention_f32_avx2 = {"window_attention_f32__avx2", avx2::scratch_bytes,
                                                                   avx2::run};
