// Vec: sixteen floats, AVX-512 F + BW + DQ + VL. The vocabulary is the same at every level. Files of higher levels
// define VTB_ISA before they include it.
#pragma once

#include <immintrin.h>

#include <cstdint>

#ifndef VTB_ISA
#define VTB_ISA avx512
#endif

namespace vtb::VTB_ISA {

// Lanes chosen by a comparison.
struct Mask {
  __mmask16 v;
};

// Lanes 0 .. n-1.
static inline Mask first_lanes(int n) { return {static_cast<__mmask16>((1u << n) - 1)}; }

// Rounded to bf16, halves to even. NaN stays NaN.
static inline __m256i to_bf16(__m512 x) {
#ifdef __AVX512BF16__
  return (__m256i)_mm512_cvtneps_pbh(x);
#else
  const __m512i bits = _mm512_castps_si512(x), high = _mm512_srli_epi32(bits, 16);
  const __m512i odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
  __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
  rounded = _mm512_srli_epi32(rounded, 16);
  const __mmask16 is_nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  return _mm512_cvtepi32_epi16(_mm512_mask_or_epi32(rounded, is_nan, high, _mm512_set1_epi32(0x40)));
#endif
}

struct Vec {
  static constexpr int width = 16;
  __m512 v;

  static Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }

  // The first n floats, 0 <= n < width, then zeros; touches no other memory.
  static Vec load_partial(const float* p, int n) { return {_mm512_maskz_loadu_ps(first_lanes(n).v, p)}; }

  // Integers, converted to floats: exact up to 2^24 in magnitude.
  static Vec load(const int32_t* p) { return {_mm512_cvtepi32_ps(_mm512_loadu_si512(p))}; }

  static Vec load_partial(const int32_t* p, int n) {
    return {_mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(first_lanes(n).v, p))};
  }

  void store(float* p) const { _mm512_storeu_ps(p, v); }
  void store_partial(float* p, int n) const { _mm512_mask_storeu_ps(p, first_lanes(n).v, v); }

  // As bf16.
  void store(uint16_t* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), to_bf16(v)); }
  void store_partial(uint16_t* p, int n) const { _mm256_mask_storeu_epi16(p, first_lanes(n).v, to_bf16(v)); }

  // Quantised: the nearest integers, halves to even, of -128 .. 127, plus 128.
  void store(uint8_t* p) const { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), to_bytes()); }
  void store_partial(uint8_t* p, int n) const { _mm_mask_storeu_epi8(p, first_lanes(n).v, to_bytes()); }
  __m128i to_bytes() const {
    return _mm512_cvtepi32_epi8(_mm512_add_epi32(_mm512_cvtps_epi32(v), _mm512_set1_epi32(128)));
  }

  static Vec broadcast(float x) { return {_mm512_set1_ps(x)}; }
  static Vec zero() { return {_mm512_setzero_ps()}; }
};

static inline Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
static inline Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
static inline Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
static inline Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }

// a * b + c, rounded once.
static inline Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }

// The larger and the smaller; b where either is NaN.
static inline Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
static inline Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }

static inline Vec abs(Vec a) { return {_mm512_abs_ps(a.v)}; }

// a * b + c for terms that nearly cancel: the product is not rounded before the sum.
static inline Vec fma_exact_product(Vec a, Vec b, Vec c) { return fma(a, b, c); }

// To the nearest integer, halves to even, for |a| < 2^22.
static inline Vec round_to_nearest(Vec a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}

// a * 2^n for integers n <= 127; a subnormal or zero for n < -126.
static inline Vec scale_by_power_of_two(Vec a, Vec n) { return {_mm512_scalef_ps(a.v, n.v)}; }

// 2^n for x = 1.5 * 2^23 + 127 + n and integers -126 <= n <= 127; zero for n = -127.
static inline Vec power_of_two(Vec x) { return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(x.v), 23))}; }

static inline Mask equal(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
static inline Mask less(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }

// Where the mask is set a, elsewhere b.
static inline Vec blend(Mask mask, Vec a, Vec b) { return {_mm512_mask_blend_ps(mask.v, b.v, a.v)}; }

// The bf16 in the lower and the upper half of each lane's bits.
static inline Vec lower_bf16(Vec pairs) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(pairs.v), 16))};
}
static inline Vec upper_bf16(Vec pairs) {
  return {_mm512_and_ps(pairs.v, _mm512_castsi512_ps(_mm512_set1_epi32(-65536)))};
}

// The int32 in each lane's bits, as floats.
static inline Vec from_int32(Vec bits) { return {_mm512_cvtepi32_ps(_mm512_castps_si512(bits.v))}; }

// sum[i] + the dot product of the four unsigned bytes in a[i] with the four signed bytes, none -128, in b[i]: in int32,
// which wraps.
static inline Vec dot_bytes(Vec a, Vec b, Vec sum) {
  const __m512i u = _mm512_castps_si512(a.v), s = _mm512_castps_si512(b.v);
  __m512i total = _mm512_castps_si512(sum.v);
#ifdef __AVX512VNNI__
  total = _mm512_dpbusd_epi32(total, u, s);
#else
  const __m512i u_even = _mm512_and_si512(u, _mm512_set1_epi16(0xff)), u_odd = _mm512_srli_epi16(u, 8);
  const __m512i s_even = _mm512_srai_epi16(_mm512_slli_epi16(s, 8), 8), s_odd = _mm512_srai_epi16(s, 8);
  total = _mm512_add_epi32(total, _mm512_madd_epi16(u_even, s_even));
  total = _mm512_add_epi32(total, _mm512_madd_epi16(u_odd, s_odd));
#endif
  return {_mm512_castsi512_ps(total)};
}

static inline float reduce_add(Vec a) { return _mm512_reduce_add_ps(a.v); }
static inline float reduce_max(Vec a) { return _mm512_reduce_max_ps(a.v); }

}  // namespace vtb::VTB_ISA
