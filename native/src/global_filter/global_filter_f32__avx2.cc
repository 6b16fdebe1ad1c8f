#include "simd/avx2.h"

namespace vtb::avx2 {

// a and b hold even and odd elements in turn.
static inline void deinterleave(Vec a, Vec b, Vec* even, Vec* odd) {
  // Within halves of 128 bits, then the middle quarters change places.
  const __m256d even_pairs = _mm256_castps_pd(_mm256_shuffle_ps(a.v, b.v, 0x88));
  const __m256d odd_pairs = _mm256_castps_pd(_mm256_shuffle_ps(a.v, b.v, 0xdd));
  *even = {_mm256_castpd_ps(_mm256_permute4x64_pd(even_pairs, 0xd8))};
  *odd = {_mm256_castpd_ps(_mm256_permute4x64_pd(odd_pairs, 0xd8))};
}

}  // namespace vtb::avx2

#include "global_filter/global_filter_f32.h"

const vtb::GlobalFilterKernel vtb::global_filter_f32_avx2 = {"global_filter_f32__avx2", 2 * avx2::Vec::width,
                                                             avx2::scratch_bytes, avx2::run};
