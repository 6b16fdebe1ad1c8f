// GELU for the epilogue of a product, where it is a good part of the time; included after a simd header.
#pragma once

#include "simd/math.h"

namespace vtb::VTB_ISA {

#ifdef __AVX512F__

// Phi(-a) near a = i / 2.8125, i = 0 .. 15, as a polynomial in d = 2.8125 a - i, |d| <= 1/2: coefficient by coefficient,
// interpolated at Chebyshev nodes. The last is zero at its middle, beyond which nothing is left of Phi(-a) in fp32.
alignas(64) constexpr float gelu_table[6][16] = {
    {0x1p-1f, 0x1.71c0b8p-2f, 0x1.e876bap-3f, 0x1.24fd44p-3f, 0x1.3d5c96p-4f, 0x1.3500f2p-5f, 0x1.0d7ed4p-6f,
     0x1.a3e622p-8f, 0x1.23901p-9f, 0x1.68421ep-11f, 0x1.8b80e8p-13f, 0x1.81578cp-15f, 0x1.4ce314p-17f,
     0x1.fd902p-20f, 0x1.594fcap-22f, 0},
    {-0x1.22803cp-3f, -0x1.10b4eap-3f, -0x1.c333ap-4f, -0x1.48efc4p-4f, -0x1.a6a64p-5f, -0x1.de91c6p-6f,
     -0x1.dd894p-7f, -0x1.a3eaecp-8f, -0x1.45669ap-9f, -0x1.bc6d1ep-11f, -0x1.0b73f6p-12f, -0x1.1baceap-14f,
     -0x1.092692p-16f, -0x1.b4cecap-19f, -0x1.3d11d6p-21f, -0x1.95a50cp-24f},
    {0, 0x1.13cc58p-7f, 0x1.c851b6p-7f, 0x1.f30152p-7f, 0x1.ab735cp-7f, 0x1.2e819ap-7f, 0x1.6a39bcp-8f, 0x1.739b3p-9f,
     0x1.4918d4p-10f, 0x1.f9a506p-12f, 0x1.52167ep-13f, 0x1.8a6cbap-15f, 0x1.9223bcp-17f, 0x1.66caa6p-19f,
     0x1.186b04p-21f, 0x1.804834p-24f},
    {0x1.87baep-9f, 0x1.413f3cp-9f, 0x1.2cc39p-10f, -0x1.e8dccap-13f, -0x1.236f8p-10f, -0x1.5c8ff4p-10f,
     -0x1.1dd79ap-10f, -0x1.6fae6p-11f, -0x1.84ef0ep-12f, -0x1.5a18acp-13f, -0x1.066af8p-14f, -0x1.55cc26p-16f,
     -0x1.806fe8p-18f, -0x1.76cf78p-20f, -0x1.3da4ep-22f, -0x1.d4fd56p-25f},
    {0, -0x1.092b9cp-12f, -0x1.7d3f38p-12f, -0x1.37f7ep-12f, -0x1.1a2a44p-13f, 0x1.e9c988p-17f, 0x1.770afep-14f,
     0x1.8e7f06p-14f, 0x1.1a5bap-14f, 0x1.35b6ecp-15f, 0x1.14ef7p-16f, 0x1.9de1ep-18f, 0x1.0623eap-19f,
     0x1.1bfa42p-21f, 0x1.08afp-23f, 0x1.aa5b28p-26f},
    {-0x1.d8bef8p-15f, -0x1.4e3c48p-15f, -0x1.bd5d5p-19f, 0x1.c2aeeep-16f, 0x1.214dc4p-15f, 0x1.8541ep-16f,
     0x1.d805fep-18f, -0x1.d81854p-19f, -0x1.b7598ap-18f, -0x1.5f369ep-18f, -0x1.8d6c56p-19f, -0x1.6123ap-20f,
     -0x1.00d668p-21f, -0x1.38683p-23f, -0x1.41d8bap-25f, -0x1.1b2f64p-27f},
};

static inline Vec gelu_coefficient(int k, __m512i i) {
  return {_mm512_permutexvar_ps(i, _mm512_load_ps(gelu_table[k]))};
}

// gelu(x) with an error below 2^-22 |x|, from a table: half the time of gelu, whose relative error is small for
// negative x too. NaN gives NaN.
static inline Vec fast_gelu(Vec x) {
  constexpr float segments = 2.8125f, last = 15;
  // Adding 1.5 * 2^23 rounds to an integer, and leaves it in the lowest bits, of which the lookup takes four.
  const Vec magic = Vec::broadcast(0x1.8p23f);
  const Vec a = min(Vec::broadcast(last / segments), abs(x)), u = a * Vec::broadcast(segments), shifted = u + magic;
  const Vec d = u - (shifted - magic);
  const __m512i i = _mm512_castps_si512(shifted.v);
  Vec p = gelu_coefficient(5, i);
#pragma GCC unroll 5
  for (int k = 4; k >= 0; --k) p = fma(p, d, gelu_coefficient(k, i));
  return fma(Vec::zero() - a, p, max(Vec::zero(), x));
}

#else

static inline Vec fast_gelu(Vec x) { return gelu(x); }

#endif

}  // namespace vtb::VTB_ISA
