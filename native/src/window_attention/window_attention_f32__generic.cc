#include "simd/generic.h"
#include "simd/math.h"

namespace vtb::generic {

// 8 of 16 registers hold sums; without a fused multiply-add one more holds the product.
constexpr int tile_rows = 2;
constexpr int tile_vectors = 4;

// The steps of a transposition, see panels_f32.h: by floats, then by pairs of them.
template <int step>
static inline Vec interleave_low(Vec a, Vec b) {
  return {__builtin_shuffle(a.v, b.v, step == 0 ? Int4{0, 4, 1, 5} : Int4{0, 1, 4, 5})};
}
template <int step>
static inline Vec interleave_high(Vec a, Vec b) {
  return {__builtin_shuffle(a.v, b.v, step == 0 ? Int4{2, 6, 3, 7} : Int4{2, 3, 6, 7})};
}

}  // namespace vtb::generic

#include "window_attention/window_attention_f32.h"

const vtb::WindowAttentionKernel vtb::window_attention_f32_generic = {"window_attention_f32__generic",
                                                                      generic::scratch_bytes, generic::run};
