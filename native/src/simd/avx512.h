// Vec: sixteen floats, AVX-512 F + BW + DQ + VL. The vocabulary is the same at every level.
#pragma once

#include <immintrin.h>

#include <cstdint>

#define VTB_ISA avx512

namespace vtb::avx512 {

// Lanes chosen by a comparison.
struct Mask {
  __mmask16 v;
};

// Lanes 0 .. n-1.
static inline Mask first_lanes(int n) { return {static_cast<__mmask16>((1u << n) - 1)}; }

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

static inline Mask equal(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
static inline Mask less(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }

// Where the mask is set a, elsewhere b.
static inline Vec blend(Mask mask, Vec a, Vec b) { return {_mm512_mask_blend_ps(mask.v, b.v, a.v)}; }

static inline float reduce_add(Vec a) { return _mm512_reduce_add_ps(a.v); }
static inline float reduce_max(Vec a) { return _mm512_reduce_max_ps(a.v); }

}  // namespace vtb::avx512
