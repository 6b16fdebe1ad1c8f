// Vec: eight floats, AVX2 + FMA. The vocabulary is the same at every level.
#pragma once

#include <immintrin.h>

#include <cstdint>

#define VTB_ISA avx2

namespace vtb::avx2 {

// Lanes chosen by a comparison: all bits of a lane, or none.
struct Mask {
  __m256 v;
};

// Lanes 0 .. n-1.
static inline Mask first_lanes(int n) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane))};
}

// Rounded to bf16, halves to even. NaN stays NaN.
static inline __m128i to_bf16(__m256 x) {
  const __m256i bits = _mm256_castps_si256(x), high = _mm256_srli_epi32(bits, 16);
  const __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
  __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
  rounded = _mm256_srli_epi32(rounded, 16);
  const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  rounded = _mm256_blendv_epi8(rounded, _mm256_or_si256(high, _mm256_set1_epi32(0x40)), is_nan);
  return _mm_packus_epi32(_mm256_castsi256_si128(rounded), _mm256_extracti128_si256(rounded, 1));
}

struct Vec {
  static constexpr int width = 8;
  __m256 v;

  static Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }

  // The first n floats, 0 <= n < width, then zeros; touches no other memory.
  static Vec load_partial(const float* p, int n) {
    return {_mm256_maskload_ps(p, _mm256_castps_si256(first_lanes(n).v))};
  }

  // Integers, converted to floats: exact up to 2^24 in magnitude.
  static Vec load(const int32_t* p) {
    return {_mm256_cvtepi32_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
  }

  static Vec load_partial(const int32_t* p, int n) {
    return {_mm256_cvtepi32_ps(_mm256_maskload_epi32(p, _mm256_castps_si256(first_lanes(n).v)))};
  }

  void store(float* p) const { _mm256_storeu_ps(p, v); }
  void store_partial(float* p, int n) const { _mm256_maskstore_ps(p, _mm256_castps_si256(first_lanes(n).v), v); }

  // As bf16.
  void store(uint16_t* p) const { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), to_bf16(v)); }
  void store_partial(uint16_t* p, int n) const {
    const __m128i halves = to_bf16(v);
    __builtin_memcpy(p, &halves, n * sizeof *p);
  }

  // Quantised: the nearest integers, halves to even, of -128 .. 127, plus 128.
  void store(uint8_t* p) const { store_partial(p, width); }
  void store_partial(uint8_t* p, int n) const {
    const __m256i integers = _mm256_cvtps_epi32(v);
    const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128(integers), _mm256_extracti128_si256(integers, 1));
    const __m128i bytes = _mm_xor_si128(_mm_packs_epi16(halves, halves), _mm_set1_epi8(-128));
    __builtin_memcpy(p, &bytes, n);
  }

  static Vec broadcast(float x) { return {_mm256_set1_ps(x)}; }
  static Vec zero() { return {_mm256_setzero_ps()}; }
};

static inline Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
static inline Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
static inline Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
static inline Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }

// a * b + c, rounded once.
static inline Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }

// The larger and the smaller; b where either is NaN.
static inline Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.v, b.v)}; }
static inline Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.v, b.v)}; }

static inline Vec abs(Vec a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }

// a * b + c for terms that nearly cancel: the product is not rounded before the sum.
static inline Vec fma_exact_product(Vec a, Vec b, Vec c) { return fma(a, b, c); }

// To the nearest integer, halves to even, for |a| < 2^22.
static inline Vec round_to_nearest(Vec a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}

// a * 2^n for integers n <= 127; zero for n < -126.
static inline Vec scale_by_power_of_two(Vec a, Vec n) {
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(max(Vec::broadcast(-127), n).v), _mm256_set1_epi32(127));
  return {_mm256_mul_ps(a.v, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)))};
}

// 2^n for x = 1.5 * 2^23 + 127 + n and integers -126 <= n <= 127; zero for n = -127.
static inline Vec power_of_two(Vec x) { return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(x.v), 23))}; }

static inline Mask equal(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)}; }
static inline Mask less(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }

// Where the mask is set a, elsewhere b.
static inline Vec blend(Mask mask, Vec a, Vec b) { return {_mm256_blendv_ps(b.v, a.v, mask.v)}; }

// The bf16 in the lower and the upper half of each lane's bits.
static inline Vec lower_bf16(Vec pairs) {
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(pairs.v), 16))};
}
static inline Vec upper_bf16(Vec pairs) {
  return {_mm256_and_ps(pairs.v, _mm256_castsi256_ps(_mm256_set1_epi32(-65536)))};
}

// The int32 in each lane's bits, as floats.
static inline Vec from_int32(Vec bits) { return {_mm256_cvtepi32_ps(_mm256_castps_si256(bits.v))}; }

// sum[i] + the dot product of the four unsigned bytes in a[i] with the four signed bytes, none -128, in b[i]: in int32,
// which wraps. VPMADDUBSW would saturate.
static inline Vec dot_bytes(Vec a, Vec b, Vec sum) {
  const __m256i u = _mm256_castps_si256(a.v), s = _mm256_castps_si256(b.v);
  const __m256i u_even = _mm256_and_si256(u, _mm256_set1_epi16(0xff)), u_odd = _mm256_srli_epi16(u, 8);
  const __m256i s_even = _mm256_srai_epi16(_mm256_slli_epi16(s, 8), 8), s_odd = _mm256_srai_epi16(s, 8);
  __m256i total = _mm256_add_epi32(_mm256_castps_si256(sum.v), _mm256_madd_epi16(u_even, s_even));
  total = _mm256_add_epi32(total, _mm256_madd_epi16(u_odd, s_odd));
  return {_mm256_castsi256_ps(total)};
}

static inline float reduce_add(Vec a) {
  __m128 r = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  r = _mm_add_ps(r, _mm_movehl_ps(r, r));
  return _mm_cvtss_f32(_mm_add_ss(r, _mm_movehdup_ps(r)));
}

static inline float reduce_max(Vec a) {
  __m128 r = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  r = _mm_max_ps(r, _mm_movehl_ps(r, r));
  return _mm_cvtss_f32(_mm_max_ss(r, _mm_movehdup_ps(r)));
}

}  // namespace vtb::avx2
