#include "simd/generic.h"
#include "simd/math.h"

namespace vtb::generic {

// 8 of 16 registers hold sums; without a fused multiply-add one more holds the product.
constexpr int tile_rows = 2;
constexpr int tile_vectors = 4;

// a0 b0 a1 b1 ..., from the first halves and from the second halves.
static inline Vec interleave_low(Vec a, Vec b) { return {__builtin_shuffle(a.v, b.v, Int4{0, 4, 1, 5})}; }
static inline Vec interleave_high(Vec a, Vec b) { return {__builtin_shuffle(a.v, b.v, Int4{2, 6, 3, 7})}; }

}  // namespace vtb::generic

#include "window_attention/window_attention_f32.h"

namespace vtb::generic {

const WindowAttentionKernel window_attention_f32 = {"window_attention_f32__generic", scratch_bytes, run};

}  // namespace vtb::generic
