// Elementary functions of Vec; included after a simd header. The coefficients are minimax fits of the relative error,
// rounded to fp32 one after the other, each time refitting the rest.
#pragma once

#include "vertebra.h"

namespace vtb::VTB_ISA {

// (exp(r) - 1) / r for |r| <= 0.347: relative error of the polynomial 3e-8, rounding aside, and of exp(r) made from it
// 3e-9.
static inline Vec exp_quotient(Vec r) {
  Vec p = Vec::broadcast(0x1.6a4530p-10f);
  p = fma(p, r, Vec::broadcast(0x1.1239acp-7f));
  p = fma(p, r, Vec::broadcast(0x1.5558b8p-5f));
  p = fma(p, r, Vec::broadcast(0x1.555492p-3f));
  p = fma(p, r, Vec::broadcast(0x1.fffffcp-2f));
  return fma(p, r, Vec::broadcast(1));
}

static inline Vec exp_reduced(Vec r) { return fma(exp_quotient(r), r, Vec::broadcast(1)); }

constexpr float log2_e = 0x1.715476p0f;
// ln 2 in two parts (W. J. Cody, W. Waite, "Software Manual for the Elementary Functions", 1980); n * ln2_high is exact
// for |n| < 512.
constexpr float ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f;

// exp(x) within 2 ulp for -87.3 <= x <= 88.3, the normal range. Below it falls to zero (by -110, minus infinity
// included), above it saturates at exp(88.3) = 2.2e38. NaN gives NaN.
static inline Vec exp(Vec x) {
  x = max(Vec::broadcast(-110), min(Vec::broadcast(88.3f), x));
  const Vec n = round_to_nearest(x * Vec::broadcast(log2_e));
  Vec r = fma(n, Vec::broadcast(-ln2_high), x);
  r = fma(n, Vec::broadcast(-ln2_low), r);
  return scale_by_power_of_two(exp_reduced(r), n);
}

// Exact GELU (D. Hendrycks, K. Gimpel, arXiv 1606.08415): x * Phi(x), Phi the normal distribution function. With
// a = |x|,
//      gelu(x) = max(x, 0) - a * Phi(-a),   Phi(-a) = exp(-a^2 / 2) * P(a) / Q(a),
// so that nothing cancels for negative x; P / Q has a relative error of 2e-8. The relative error of the result is
// below 5e-7 (4.2 * 2^-23, from the roundings of the two polynomials at large a; on average 0.4 * 2^-23) for every
// x >= -13, where gelu nears the subnormal numbers; beyond, it tends to zero. NaN gives NaN.
static inline Vec gelu(Vec x) {
  const Vec a = min(Vec::broadcast(16), abs(x));
  // -a^2 / 2 = n ln 2 + r. Where the exponent is large the rounding of a^2 would be the largest error.
  const Vec half = a * Vec::broadcast(-0.5f);
  const Vec n = round_to_nearest(half * a * Vec::broadcast(log2_e));
  Vec r = fma_exact_product(half, a, n * Vec::broadcast(-ln2_high));
  r = fma(n, Vec::broadcast(-ln2_low), r);
  const Vec e = scale_by_power_of_two(exp_reduced(r), n);

  Vec p = Vec::broadcast(0x1.1297b6p-8f);
  p = fma(p, a, Vec::broadcast(0x1.510bfcp-5f));
  p = fma(p, a, Vec::broadcast(0x1.7a67c2p-3f));
  p = fma(p, a, Vec::broadcast(0x1.c2f6a4p-2f));
  p = fma(p, a, Vec::broadcast(0.5f));
  Vec q = Vec::broadcast(0x1.5825c4p-7f);
  q = fma(q, a, Vec::broadcast(0x1.a672dep-4f));
  q = fma(q, a, Vec::broadcast(0x1.e4e02ep-2f));
  q = fma(q, a, Vec::broadcast(0x1.357bb6p0f));
  q = fma(q, a, Vec::broadcast(0x1.adbd82p0f));
  q = fma(q, a, Vec::broadcast(1));
  return fma(Vec::zero() - a * e, p / q, max(Vec::zero(), x));
}

// GELU for results that are rounded to bf16: the error is below 2^-12 |x|, a quarter of that rounding where x > 0.
// Phi(-a) is 1/2 minus an odd minimax polynomial that ends at zero; beyond its end the result is max(x, 0). NaN gives
// NaN.
static inline Vec gelu_for_bf16(Vec x) {
  const Vec a = min(Vec::broadcast(0x1.c66666p1f), abs(x)), t = a * a;
  Vec p = Vec::broadcast(-0x1.7c07d6p-21f);
  p = fma(p, t, Vec::broadcast(0x1.2616a8p-15f));
  p = fma(p, t, Vec::broadcast(-0x1.7f1ee4p-11f));
  p = fma(p, t, Vec::broadcast(0x1.185a24p-7f));
  p = fma(p, t, Vec::broadcast(-0x1.082a9ep-4f));
  p = fma(p, t, Vec::broadcast(0x1.97acb8p-2f));
  const Vec minus_a = Vec::zero() - a;
  return fma(minus_a, fma(minus_a, p, Vec::broadcast(0.5f)), max(Vec::zero(), x));
}

// NaN gives NaN.
static inline Vec relu(Vec x) { return max(Vec::zero(), x); }

// 1 / (1 + exp(-x)), with a relative error below 3e-7 for x >= -87.3; beyond, minus infinity included, it stays between
// 0 and 2e-38. NaN gives NaN.
static inline Vec sigmoid(Vec x) {
  const Vec one = Vec::broadcast(1);
  return one / (one + exp(Vec::zero() - x));
}

// x * sigmoid(x), with a relative error below 3e-7 for x >= -87.3; beyond, minus infinity included, it stays between 0
// and -2e-36. NaN gives NaN.
static inline Vec silu(Vec x) { return max(Vec::broadcast(-110), x) / (Vec::broadcast(1) + exp(Vec::zero() - x)); }

// The hyperbolic tangent, relative error below 3e-7: E / (E + 2) with E = exp(2|x|) - 1, which is formed without
// cancellation from 2|x| = n ln 2 + r. NaN gives NaN.
static inline Vec tanh(Vec x) {
  const Vec one = Vec::broadcast(1), a = min(Vec::broadcast(10), abs(x));
  const Vec twice = a + a, n = round_to_nearest(twice * Vec::broadcast(log2_e));
  Vec r = fma(n, Vec::broadcast(-ln2_high), twice);
  r = fma(n, Vec::broadcast(-ln2_low), r);
  const Vec e = scale_by_power_of_two(exp_quotient(r) * r, n) + (scale_by_power_of_two(one, n) - one);
  const Vec t = e / (e + Vec::broadcast(2));
  return blend(less(x, Vec::zero()), Vec::zero() - t, t);
}

// The value of a vtb_activation.
static inline Vec activate(int32_t activation, Vec x) {
  switch (activation) {
    case VTB_GELU: return gelu(x);
    case VTB_RELU: return relu(x);
    case VTB_SILU: return silu(x);
    case VTB_SIGMOID: return sigmoid(x);
    case VTB_TANH: return tanh(x);
    default: return x;
  }
}

}  // namespace vtb::VTB_ISA
