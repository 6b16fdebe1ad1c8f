#include <immintrin.h>

#include "preprocess/resample.h"

namespace vtb::avx2 {
namespace {

// Byte shuffle of four pixels in both lanes: lane 0 gets the 16-bit pairs r0 r1 g0 g1 b0 b1 0 0, lane 1 those of
// pixels 2 and 3.
__m256i pixel_order(const vtb_preprocess_args& args) {
  const int32_t offsets[3] = {args.red, args.green, args.blue};
  alignas(32) uint8_t order[32];
  for (int i = 0; i < 32; i++) {
    const int word = i / 2, pixel = word / 8 * 2 + word % 2, channel = word % 8 / 2;
    const bool used = i % 2 == 0 && channel < 3;
    order[i] = static_cast<uint8_t>(used ? pixel * args.pixel_stride + offsets[channel] : 0x80);
  }
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(order));
}

__m256i load_twice(const void* p) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(static_cast<const __m128i*>(p)));
}

// Both parts of a sum joined and rounded, still 32 bits an element.
__m256i rounded(__m256i high, __m256i low) {
  const __m256i sum = _mm256_add_epi32(_mm256_slli_epi32(high, weight_split), low);
  return _mm256_srai_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(1 << (weight_bits - 1))), weight_bits);
}

// Sums of the two lanes of a (lane 0) and of b (lane 1).
__m256i add_lanes(__m256i a, __m256i b) {
  return _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(a, b, 0x31));
}

void horizontal(const vtb_preprocess_args& args, const uint8_t* const* rows, uint8_t* const* out) {
  const __m256i order = pixel_order(args);
  const __m256i high_pairs = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
  const __m256i low_pairs = _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3);
  const int64_t pixel_stride = args.pixel_stride;
  for (int64_t x = 0; x < args.out_width; x++) {
    const int32_t* weights = args.x_weights + x * args.x_taps;
    __m256i high[resample_rows], low[resample_rows];
    for (int r = 0; r < resample_rows; r++) {
      high[r] = low[r] = _mm256_setzero_si256();
    }
    int64_t offset = args.x_first[x] * pixel_stride;
    for (int t = 0; t < args.x_taps; t += 4, offset += 4 * pixel_stride) {
      const __m256i k = load_twice(weights + t);
      const __m256i k_high = _mm256_permutevar8x32_epi32(k, high_pairs);
      const __m256i k_low = _mm256_permutevar8x32_epi32(k, low_pairs);
      for (int r = 0; r < resample_rows; r++) {
        const __m256i pixels = _mm256_shuffle_epi8(load_twice(rows[r] + offset), order);
        high[r] = _mm256_add_epi32(high[r], _mm256_madd_epi16(pixels, k_high));
        low[r] = _mm256_add_epi32(low[r], _mm256_madd_epi16(pixels, k_low));
      }
    }
    const __m256i first = rounded(add_lanes(high[0], high[1]), add_lanes(low[0], low[1]));
    const __m256i second = rounded(add_lanes(high[2], high[3]), add_lanes(low[2], low[3]));
    const __m256i words = _mm256_packs_epi32(first, second);
    const __m256i bytes = _mm256_packus_epi16(words, words);
    // Lane 0 holds rows 0 and 2, lane 1 rows 1 and 3.
    const __m128i even = _mm256_castsi256_si128(bytes), odd = _mm256_extracti128_si256(bytes, 1);
    _mm_storeu_si32(out[0] + 3 * x, even);
    _mm_storeu_si32(out[1] + 3 * x, odd);
    _mm_storeu_si32(out[2] + 3 * x, _mm_srli_si128(even, 4));
    _mm_storeu_si32(out[3] + 3 * x, _mm_srli_si128(odd, 4));
  }
}

void vertical(const uint8_t* in, int64_t stride, int32_t rows, const int32_t* weights, int32_t taps, int64_t bytes,
              uint8_t* out) {
  for (int64_t i = 0; i < bytes; i += 16) {
    __m256i high_left = _mm256_setzero_si256(), high_right = high_left, low_left = high_left, low_right = high_left;
    for (int t = 0; t < taps; t += 2) {
      const uint8_t* upper = in + (t < rows ? t : rows - 1) * stride + i;
      const uint8_t* lower = in + (t + 1 < rows ? t + 1 : rows - 1) * stride + i;
      const __m256i a = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(upper)));
      const __m256i b = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(lower)));
      const int32_t* pair = weights + t / 4 * 4 + t % 4 / 2;
      const __m256i k_high = _mm256_set1_epi32(pair[0]), k_low = _mm256_set1_epi32(pair[2]);
      const __m256i left = _mm256_unpacklo_epi16(a, b), right = _mm256_unpackhi_epi16(a, b);
      high_left = _mm256_add_epi32(high_left, _mm256_madd_epi16(left, k_high));
      high_right = _mm256_add_epi32(high_right, _mm256_madd_epi16(right, k_high));
      low_left = _mm256_add_epi32(low_left, _mm256_madd_epi16(left, k_low));
      low_right = _mm256_add_epi32(low_right, _mm256_madd_epi16(right, k_low));
    }
    const __m256i words = _mm256_packs_epi32(rounded(high_left, low_left), rounded(high_right, low_right));
    const __m128i packed = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), packed);
  }
}

}  // namespace
}  // namespace vtb::avx2

const vtb::ResampleKernel vtb::resample_u8_avx2 = {"resample_u8__avx2", avx2::horizontal, avx2::vertical};
