// exp without the last bit of accuracy; included after a simd header.
#pragma once

#include "simd/math.h"

namespace vtb::VTB_ISA {

// exp(x) for x <= 88 within a relative error of 3e-7 + 8e-8 |x|: 2^(n + f) with n an integer, where the polynomial is
// off by 9.3e-8, with AVX-512 8.3e-8. Zero below -87.7, with AVX-512 below -87.3: masked keys would give subnormal
// numbers, which are slow on many machines. NaN gives NaN. The N vectors go in step, since each is one long chain.
#ifdef __AVX512F__

template <int N>
[[gnu::always_inline]] static inline void fast_exp(Vec (&x)[N]) {
  constexpr float coefficients[] = {0x1.277c1cp-7f, 0x1.c91c10p-5f, 0x1.ebdb6ap-3f, 0x1.62e4bap-1f, 1};
  constexpr int floor = 1;
  Vec f[N], p[N];
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i) x[i] = x[i] * Vec::broadcast(log2_e);
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i) f[i] = {_mm512_reduce_ps(x[i].v, floor)};  // x - floor(x), zero at infinities
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i) p[i] = Vec::broadcast(0x1.e96912p-10f);
#pragma GCC unroll 16
  for (float c : coefficients) {
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i) p[i] = fma(p[i], f[i], Vec::broadcast(c));
  }
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i) {
    const __mmask16 normal = _mm512_cmp_ps_mask(x[i].v, _mm512_set1_ps(-126), _CMP_NLT_UQ);
    x[i] = {_mm512_maskz_scalef_ps(normal, p[i].v, x[i].v)};  // times 2^floor(x)
  }
}

#else

template <int N>
[[gnu::always_inline]] static inline void fast_exp(Vec (&x)[N]) {
  constexpr float coefficients[] = {0x1.3ce8acp-7f, 0x1.c6b6d8p-5f, 0x1.ebf9c2p-3f, 0x1.62e42ap-1f, 1};
  // Adding it rounds to an integer, whose low bits are those of the sum, 127 more as in an exponent; see power_of_two.
  const Vec shift = Vec::broadcast(0x1.8p23f + 127);
  Vec n[N], power[N], p[N];
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i) x[i] = max(Vec::broadcast(-127), x[i] * Vec::broadcast(log2_e));
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i) n[i] = x[i] + shift;
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i) {
    power[i] = power_of_two(n[i]);
    x[i] = x[i] - (n[i] - shift);
  }
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i) p[i] = Vec::broadcast(0x1.5bda40p-10f);
#pragma GCC unroll 16
  for (float c : coefficients) {
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i) p[i] = fma(p[i], x[i], Vec::broadcast(c));
  }
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i) x[i] = p[i] * power[i];
}

#endif

}  // namespace vtb::VTB_ISA
