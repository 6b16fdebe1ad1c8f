#include <immintrin.h>

#include "preprocess/resample.h"

namespace vtb::avx512 {
namespace {

// Byte shuffle of four pixels in a pair of lanes: the even lane gets the 16-bit pairs r0 r1 g0 g1 b0 b1 0 0, the odd
// lane those of pixels 2 and 3.
__m512i pixel_order(const vtb_preprocess_args& args) {
  const int32_t offsets[3] = {args.red, args.green, args.blue};
  alignas(64) uint8_t order[64];
  for (int i = 0; i < 64; i++) {
    const int word = i % 32 / 2, pixel = word / 8 * 2 + word % 2, channel = word % 8 / 2;
    const bool used = i % 2 == 0 && channel < 3;
    order[i] = static_cast<uint8_t>(used ? pixel * args.pixel_stride + offsets[channel] : 0x80);
  }
  return _mm512_load_si512(order);
}

__m256i load_twice(const uint8_t* p) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}

// Both parts of a sum joined and rounded, still 32 bits an element.
__m512i rounded(__m512i high, __m512i low) {
  const __m512i sum = _mm512_add_epi32(_mm512_slli_epi32(high, weight_split), low);
  return _mm512_srai_epi32(_mm512_add_epi32(sum, _mm512_set1_epi32(1 << (weight_bits - 1))), weight_bits);
}

// Sums of the four lanes of each argument, in the lane of its number.
__m512i add_lanes(const __m512i* s) {
  const __m512i a = _mm512_add_epi32(_mm512_shuffle_i32x4(s[0], s[1], 0x44), _mm512_shuffle_i32x4(s[0], s[1], 0xEE));
  const __m512i b = _mm512_add_epi32(_mm512_shuffle_i32x4(s[2], s[3], 0x44), _mm512_shuffle_i32x4(s[2], s[3], 0xEE));
  return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xDD));
}

void horizontal(const vtb_preprocess_args& args, const uint8_t* const* rows, uint8_t* const* out) {
  const __m512i order = pixel_order(args);
  const __m512i high_pairs = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 4, 4, 4, 4, 5, 5, 5, 5);
  const __m512i low_pairs = _mm512_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3, 6, 6, 6, 6, 7, 7, 7, 7);
  const int64_t pixel_stride = args.pixel_stride;
  for (int64_t x = 0; x < args.out_width; x++) {
    const int32_t* weights = args.x_weights + x * args.x_taps;
    __m512i high[resample_rows], low[resample_rows];
    for (int r = 0; r < resample_rows; r++) {
      high[r] = low[r] = _mm512_setzero_si512();
    }
    int64_t offset = args.x_first[x] * pixel_stride;
    for (int t = 0; t < args.x_taps; t += 8, offset += 8 * pixel_stride) {
      // The last group of eight taps may be half a one: the other half counts zero.
      const __mmask8 present = args.x_taps - t >= 8 ? 0xFF : 0x0F;
      const __m512i k = _mm512_castsi256_si512(_mm256_maskz_loadu_epi32(present, weights + t));
      const __m512i k_high = _mm512_permutexvar_epi32(high_pairs, k);
      const __m512i k_low = _mm512_permutexvar_epi32(low_pairs, k);
      for (int r = 0; r < resample_rows; r++) {
        const uint8_t* p = rows[r] + offset;
        const __m512i eight =
            _mm512_inserti64x4(_mm512_castsi256_si512(load_twice(p)), load_twice(p + 4 * pixel_stride), 1);
        const __m512i pixels = _mm512_shuffle_epi8(eight, order);
        high[r] = _mm512_add_epi32(high[r], _mm512_madd_epi16(pixels, k_high));
        low[r] = _mm512_add_epi32(low[r], _mm512_madd_epi16(pixels, k_low));
      }
    }
    const __m512i values = _mm512_max_epi32(rounded(add_lanes(high), add_lanes(low)), _mm512_setzero_si512());
    const __m128i bytes = _mm512_cvtusepi32_epi8(values);
    _mm_storeu_si32(out[0] + 3 * x, bytes);
    _mm_storeu_si32(out[1] + 3 * x, _mm_srli_si128(bytes, 4));
    _mm_storeu_si32(out[2] + 3 * x, _mm_srli_si128(bytes, 8));
    _mm_storeu_si32(out[3] + 3 * x, _mm_srli_si128(bytes, 12));
  }
}

void vertical(const uint8_t* in, int64_t stride, int32_t rows, const int32_t* weights, int32_t taps, int64_t bytes,
              uint8_t* out) {
  for (int64_t i = 0; i < bytes; i += 32) {
    __m512i high_left = _mm512_setzero_si512(), high_right = high_left, low_left = high_left, low_right = high_left;
    for (int t = 0; t < taps; t += 2) {
      const uint8_t* upper = in + (t < rows ? t : rows - 1) * stride + i;
      const uint8_t* lower = in + (t + 1 < rows ? t + 1 : rows - 1) * stride + i;
      const __m512i a = _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(upper)));
      const __m512i b = _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(lower)));
      const int32_t* pair = weights + t / 4 * 4 + t % 4 / 2;
      const __m512i k_high = _mm512_set1_epi32(pair[0]), k_low = _mm512_set1_epi32(pair[2]);
      const __m512i left = _mm512_unpacklo_epi16(a, b), right = _mm512_unpackhi_epi16(a, b);
      high_left = _mm512_add_epi32(high_left, _mm512_madd_epi16(left, k_high));
      high_right = _mm512_add_epi32(high_right, _mm512_madd_epi16(right, k_high));
      low_left = _mm512_add_epi32(low_left, _mm512_madd_epi16(left, k_low));
      low_right = _mm512_add_epi32(low_right, _mm512_madd_epi16(right, k_low));
    }
    // Packing in lanes undoes the unpacking in lanes.
    const __m512i words = _mm512_packs_epi32(rounded(high_left, low_left), rounded(high_right, low_right));
    const __m256i packed = _mm512_cvtusepi16_epi8(_mm512_max_epi16(words, _mm512_setzero_si512()));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), packed);
  }
}

}  // namespace
}  // namespace vtb::avx512

const vtb::ResampleKernel vtb::resample_u8_avx512 = {"resample_u8__avx512", avx512::horizontal, avx512::vertical};
