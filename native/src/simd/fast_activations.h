// Activations for where they are a good part of the time, behind products and convolutions; included after a simd
// header. Their error is small beside x, that of activate() beside the result.
#pragma once

#include "simd/fast_exp.h"
#include "simd/math.h"

namespace vtb::VTB_ISA {

#if defined(__AVX512F__) || defined(__AVX2__)

// Phi(-a) near the middle of segment i, a = (i - gelu_first) / gelu_segments, as a polynomial in d, the distance from
// there in segments, |d| <= 1/2: coefficient by coefficient, of all segments.
#ifdef __AVX512F__

// Interpolated at Chebyshev nodes. The last segment is zero at its middle, beyond which nothing is left of Phi(-a) in
// fp32.
constexpr float gelu_segments = 2.8125f, gelu_first = 0, gelu_end = 15 / gelu_segments;
alignas(64) constexpr float gelu_table[6][16] = {
    {0x1p-1f, 0x1.71c0b8p-2f, 0x1.e876bap-3f, 0x1.24fd44p-3f, 0x1.3d5c96p-4f, 0x1.3500f2p-5f, 0x1.0d7ed4p-6f,
     0x1.a3e622p-8f, 0x1.23901p-9f, 0x1.68421ep-11f, 0x1.8b80e8p-13f, 0x1.81578cp-15f, 0x1.4ce314p-17f, 0x1.fd902p-20f,
     0x1.594fcap-22f, 0},
    {-0x1.22803cp-3f, -0x1.10b4eap-3f, -0x1.c333ap-4f, -0x1.48efc4p-4f, -0x1.a6a64p-5f, -0x1.de91c6p-6f, -0x1.dd894p-7f,
     -0x1.a3eaecp-8f, -0x1.45669ap-9f, -0x1.bc6d1ep-11f, -0x1.0b73f6p-12f, -0x1.1baceap-14f, -0x1.092692p-16f,
     -0x1.b4cecap-19f, -0x1.3d11d6p-21f, -0x1.95a50cp-24f},
    {0, 0x1.13cc58p-7f, 0x1.c851b6p-7f, 0x1.f30152p-7f, 0x1.ab735cp-7f, 0x1.2e819ap-7f, 0x1.6a39bcp-8f, 0x1.739b3p-9f,
     0x1.4918d4p-10f, 0x1.f9a506p-12f, 0x1.52167ep-13f, 0x1.8a6cbap-15f, 0x1.9223bcp-17f, 0x1.66caa6p-19f,
     0x1.186b04p-21f, 0x1.804834p-24f},
    {0x1.87baep-9f, 0x1.413f3cp-9f, 0x1.2cc39p-10f, -0x1.e8dccap-13f, -0x1.236f8p-10f, -0x1.5c8ff4p-10f,
     -0x1.1dd79ap-10f, -0x1.6fae6p-11f, -0x1.84ef0ep-12f, -0x1.5a18acp-13f, -0x1.066af8p-14f, -0x1.55cc26p-16f,
     -0x1.806fe8p-18f, -0x1.76cf78p-20f, -0x1.3da4ep-22f, -0x1.d4fd56p-25f},
    {0, -0x1.092b9cp-12f, -0x1.7d3f38p-12f, -0x1.37f7ep-12f, -0x1.1a2a44p-13f, 0x1.e9c988p-17f, 0x1.770afep-14f,
     0x1.8e7f06p-14f, 0x1.1a5bap-14f, 0x1.35b6ecp-15f, 0x1.14ef7p-16f, 0x1.9de1ep-18f, 0x1.0623eap-19f, 0x1.1bfa42p-21f,
     0x1.08afp-23f, 0x1.aa5b28p-26f},
    {-0x1.d8bef8p-15f, -0x1.4e3c48p-15f, -0x1.bd5d5p-19f, 0x1.c2aeeep-16f, 0x1.214dc4p-15f, 0x1.8541ep-16f,
     0x1.d805fep-18f, -0x1.d81854p-19f, -0x1.b7598ap-18f, -0x1.5f369ep-18f, -0x1.8d6c56p-19f, -0x1.6123ap-20f,
     -0x1.00d668p-21f, -0x1.38683p-23f, -0x1.41d8bap-25f, -0x1.1b2f64p-27f},
};

static inline Vec gelu_coefficient(int k, Vec shifted) {
  return {_mm512_permutexvar_ps(_mm512_castps_si512(shifted.v), _mm512_load_ps(gelu_table[k]))};
}

#else

// Fitted by least squares at Chebyshev nodes. The end is just inside the last segment, where 5e-8 are left of Phi(-a).
constexpr float gelu_segments = 1.5f, gelu_first = -0.5f, gelu_end = 5.32f;
alignas(32) constexpr float gelu_table[6][8] = {
    {0x1.7a4edcp-2f, 0x1.44ed18p-3f, 0x1.877f88p-5f, 0x1.41a0a6p-7f, 0x1.61de6cp-10f, 0x1.01aed4p-13f, 0x1.ecea36p-18f,
     0x1.33fbc6p-22f},
    {-0x1.01a07ap-2f, -0x1.4a5efp-3f, -0x1.0fa398p-4f, -0x1.1e699ap-6f, -0x1.83427cp-9f, -0x1.4fbc8cp-12f,
     -0x1.75455ep-16f, -0x1.0a1e6ep-20f},
    {0x1.c9e218p-6f, 0x1.b8719cp-5f, 0x1.2dd984p-5f, 0x1.bd9d88p-7f, 0x1.833812p-9f, 0x1.99db72p-12f, 0x1.0c9d5ep-15f,
     0x1.b7f626p-20f},
    {0x1.0f5ebep-6f, 0x1.42e178p-19f, -0x1.1e2372p-7f, -0x1.7939eep-8f, -0x1.cb0c3p-10f, -0x1.3562fp-12f,
     -0x1.eabeb2p-16f, -0x1.d7140ep-20f},
    {-0x1.7db78ep-9f, -0x1.00b772p-8f, -0x1.655d88p-12f, 0x1.3b82b6p-10f, 0x1.5a0c22p-11f, 0x1.47cb4p-13f,
     0x1.4f467cp-16f, 0x1.8df7d6p-20f},
    {-0x1.f331ecp-11f, 0x1.0c4a5cp-11f, 0x1.50697p-11f, 0x1.024c9ap-17f, -0x1.2d6748p-13f, -0x1.cdf6fap-15f,
     -0x1.36e0e8p-17f, -0x1.c1213p-21f},
};

static inline Vec gelu_coefficient(int k, Vec shifted) {
  return {_mm256_permutevar8x32_ps(_mm256_load_ps(gelu_table[k]), _mm256_castps_si256(shifted.v))};
}

#endif

// gelu(x) with an error below 2^-22 |x|, from a table: half the time of gelu. NaN gives NaN.
static inline Vec fast_gelu(Vec x) {
  // Adding 1.5 * 2^23 rounds to an integer, and leaves it in the lowest bits, which the lookup takes.
  const Vec magic = Vec::broadcast(0x1.8p23f), a = min(Vec::broadcast(gelu_end), abs(x));
  const Vec u = fma(a, Vec::broadcast(gelu_segments), Vec::broadcast(gelu_first)), shifted = u + magic;
  const Vec d = u - (shifted - magic);
  Vec p = gelu_coefficient(5, shifted);
#pragma GCC unroll 5
  for (int k = 4; k >= 0; --k) p = fma(p, d, gelu_coefficient(k, shifted));
  return fma(Vec::zero() - a, p, max(Vec::zero(), x));
}

#else

static inline Vec fast_gelu(Vec x) { return gelu(x); }

#endif

// silu(x) with an error below 2^-22 |x|. NaN gives NaN.
static inline Vec fast_silu(Vec x) {
  x = max(Vec::broadcast(-88), x);
  Vec e[] = {Vec::zero() - min(Vec::broadcast(88), x)};
  fast_exp(e);
  return x / (Vec::broadcast(1) + e[0]);
}

// The value of a vtb_activation.
static inline Vec fast_activate(int32_t activation, Vec x) {
  switch (activation) {
    case VTB_GELU: return fast_gelu(x);
    case VTB_SILU: return fast_silu(x);
    default: return activate(activation, x);
  }
}

}  // namespace vtb::VTB_ISA
