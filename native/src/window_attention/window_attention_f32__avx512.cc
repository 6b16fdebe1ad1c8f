#include "simd/avx512.h"
#include "simd/math.h"

namespace vtb::avx512 {

// 24 of 32 registers hold sums.
constexpr int tile_rows = 8;
constexpr int tile_vectors = 3;

// a0 b0 a1 b1 ..., from the first halves and from the second halves.
static inline Vec interleave_low(Vec a, Vec b) {
  const __m512i from = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  return {_mm512_permutex2var_ps(a.v, from, b.v)};
}
static inline Vec interleave_high(Vec a, Vec b) {
  const __m512i from = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  return {_mm512_permutex2var_ps(a.v, from, b.v)};
}

}  // namespace vtb::avx512

#include "window_attention/window_attention_f32.h"

namespace vtb::avx512 {

const WindowAttentionKernel window_attention_f32 = {"window_attention_f32__avx512", scratch_bytes, run};

}  // namespace vtb::avx512
