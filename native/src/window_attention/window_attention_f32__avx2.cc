#include "simd/avx2.h"
#include "simd/math.h"

namespace vtb::avx2 {

// 12 of 16 registers hold sums.
constexpr int tile_rows = 4;
constexpr int tile_vectors = 3;

// a0 b0 a1 b1 ..., from the first halves and from the second halves.
static inline Vec interleave_low(Vec a, Vec b) {
  return {_mm256_permute2f128_ps(_mm256_unpacklo_ps(a.v, b.v), _mm256_unpackhi_ps(a.v, b.v), 0x20)};
}
static inline Vec interleave_high(Vec a, Vec b) {
  return {_mm256_permute2f128_ps(_mm256_unpacklo_ps(a.v, b.v), _mm256_unpackhi_ps(a.v, b.v), 0x31)};
}

}  // namespace vtb::avx2

#include "window_attention/window_attention_f32.h"

namespace vtb::avx2 {

const WindowAttentionKernel window_attention_f32 = {"window_attention_f32__avx2", scratch_bytes, run};

}  // namespace vtb::avx2
