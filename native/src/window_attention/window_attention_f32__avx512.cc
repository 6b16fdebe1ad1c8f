#include "simd/avx512.h"
#include "simd/math.h"

namespace vtb::avx512 {

// 24 of 32 registers hold sums.
constexpr int tile_rows = 8;
constexpr int tile_vectors = 3;

// The steps of a transposition, see panels_f32.h: by floats and by pairs of them within each quarter, then by quarters.
template <int step>
static inline Vec interleave_low(Vec a, Vec b) {
  if constexpr (step == 0) return {_mm512_unpacklo_ps(a.v, b.v)};
  if constexpr (step == 1) return {_mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a.v), _mm512_castps_pd(b.v)))};
  return {_mm512_shuffle_f32x4(a.v, b.v, 0x88)};
}
template <int step>
static inline Vec interleave_high(Vec a, Vec b) {
  if constexpr (step == 0) return {_mm512_unpackhi_ps(a.v, b.v)};
  if constexpr (step == 1) return {_mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a.v), _mm512_castps_pd(b.v)))};
  return {_mm512_shuffle_f32x4(a.v, b.v, 0xdd)};
}

}  // namespace vtb::avx512

#include "window_attention/window_attention_f32.h"

const vtb::WindowAttentionKernel vtb::window_attention_f32_avx512 = {"window_attention_f32__avx512",
                                                                     avx512::scratch_bytes, avx512::run};
