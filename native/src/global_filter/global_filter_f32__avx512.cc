#include "simd/avx512.h"

namespace vtb::avx512 {

// a and b hold even and odd elements in turn.
static inline void deinterleave(Vec a, Vec b, Vec* even, Vec* odd) {
  const __m512i at = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  *even = {_mm512_permutex2var_ps(a.v, at, b.v)};
  *odd = {_mm512_permutex2var_ps(a.v, _mm512_add_epi32(at, _mm512_set1_epi32(1)), b.v)};
}

}  // namespace vtb::avx512

#include "global_filter/global_filter_f32.h"

const vtb::GlobalFilterKernel vtb::global_filter_f32_avx512 = {"global_filter_f32__avx512", 2 * avx512::Vec::width,
                                                               avx512::scratch_bytes, avx512::run};
