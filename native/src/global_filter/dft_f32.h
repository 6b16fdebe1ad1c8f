// The discrete Fourier transform of complex vectors, lane by lane, of any length; included after a simd header.
//
// Stockham's self-sorting form of Cooley and Tukey's algorithm (C. Van Loan, "Computational Frameworks for the Fast
// Fourier Transform", 1992), decimation in frequency: one pass a factor of the length, from one buffer to another.
#pragma once

#include "global_filter/global_filter.h"

namespace vtb::VTB_ISA {
namespace {

// A signal of complex vectors, `stride` floats apart: a vector of real parts, then one of imaginary parts.
struct Source {
  const float* data;
  int64_t stride;
};
struct Target {
  float* data;
  int64_t stride;
  operator Source() const { return {data, stride}; }
};

struct Complex {
  Vec re, im;
};

inline Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
inline Complex operator-(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }

// a + i b and a - i b
inline Complex add_i_times(Complex a, Complex b) { return {a.re - b.im, a.im + b.re}; }
inline Complex subtract_i_times(Complex a, Complex b) { return {a.re + b.im, a.im - b.re}; }

// x times real y, plus z
inline Complex fma(Complex x, Vec y, Complex z) { return {fma(x.re, y, z.re), fma(x.im, y, z.im)}; }

inline Complex load(const float* from) { return {Vec::load(from), Vec::load(from + Vec::width)}; }

inline void store(Complex x, float* to) {
  x.re.store(to);
  x.im.store(to + Vec::width);
}

// Roots of unity as pairs (cosine, sine).
struct Roots {
  const float* pairs;
  Vec cosine(int64_t i) const { return Vec::broadcast(pairs[2 * i]); }
  Vec sine(int64_t i) const { return Vec::broadcast(pairs[2 * i + 1]); }
};

// x times the conjugate of root i
inline Complex rotate(Complex x, Roots roots, int64_t i) {
  const Vec cosine = roots.cosine(i), sine = roots.sine(i);
  return {fma(x.re, cosine, x.im * sine), x.im * cosine - x.re * sine};
}

// x[k] becomes the sum over i of x[i] * exp(-2 pi i k / radix), here for the odd radices 3, 5 and 7. Terms i and
// radix - i share a cosine, and their sines differ in sign only.
template <int radix>
inline void transform_registers(Complex (&x)[radix], Roots roots) {
  constexpr int half = radix / 2;
  const Complex first = x[0];
  Complex sum[half + 1], difference[half + 1];
#pragma GCC unroll 8
  for (int i = 1; i <= half; ++i) {
    sum[i] = x[i] + x[radix - i];
    difference[i] = x[i] - x[radix - i];
    x[0] = x[0] + sum[i];
  }
#pragma GCC unroll 8
  for (int k = 1; k <= half; ++k) {
    Complex even = fma(sum[1], roots.cosine(k), first);
    Complex odd = {difference[1].re * roots.sine(k), difference[1].im * roots.sine(k)};
#pragma GCC unroll 8
    for (int i = 2; i <= half; ++i) {
      const int at = i * k % radix;
      even = fma(sum[i], roots.cosine(at <= half ? at : radix - at), even);
      odd = fma(difference[i], roots.sine(at), odd);
    }
    x[k] = subtract_i_times(even, odd);
    x[radix - k] = add_i_times(even, odd);
  }
}

inline void transform_registers(Complex (&)[1], Roots) {}

inline void transform_registers(Complex (&x)[2], Roots) {
  const Complex difference = x[0] - x[1];
  x[0] = x[0] + x[1];
  x[1] = difference;
}

inline void transform_registers(Complex (&x)[4], Roots) {
  const Complex a = x[0] + x[2], b = x[0] - x[2], c = x[1] + x[3], d = x[1] - x[3];
  x[0] = a + c;
  x[1] = subtract_i_times(b, d);
  x[2] = a - c;
  x[3] = add_i_times(b, d);
}

inline void transform_registers(Complex (&x)[8], Roots roots) {
  Complex even[4] = {x[0], x[2], x[4], x[6]}, odd[4] = {x[1], x[3], x[5], x[7]};
  transform_registers(even, roots);
  transform_registers(odd, roots);
  const Vec eighth = Vec::broadcast(0x1.6a09e6p-1f);
  const Complex sum = {(odd[1].re + odd[1].im) * eighth, (odd[1].im - odd[1].re) * eighth};
  const Complex difference = {(odd[3].re - odd[3].im) * eighth, (odd[3].re + odd[3].im) * eighth};
  x[0] = even[0] + odd[0];
  x[1] = even[1] + sum;
  x[2] = subtract_i_times(even[2], odd[2]);
  x[3] = even[3] - difference;
  x[4] = even[0] - odd[0];
  x[5] = even[1] - sum;
  x[6] = add_i_times(even[2], odd[2]);
  x[7] = even[3] + difference;
}

// The transform of `radix` elements in_step apart, to elements out_step apart; all but the first are then rotated, if
// there are `turns`. Inlined by force, as otherwise its many operands go through memory.
template <int radix, bool turned>
inline __attribute__((always_inline)) void butterfly(Roots roots, Roots turns, const float* from, int64_t in_step,
                                                     float* to, int64_t out_step) {
  Complex x[radix];
#pragma GCC unroll 8
  for (int k = 0; k < radix; ++k) x[k] = load(from + k * in_step);
  transform_registers(x, roots);
  store(x[0], to);
#pragma GCC unroll 8
  for (int k = 1; k < radix; ++k) store(turned ? rotate(x[k], turns, k - 1) : x[k], to + k * out_step);
}

// One pass over `stride` interleaved signals of `length` elements each. `roots` are the pass's own, see DftPlan.
template <int radix>
__attribute__((noinline)) void pass(Roots roots, Source in, Target out, int32_t length, int64_t stride) {
  const int32_t parts = length / radix;
  const int64_t in_step = parts * stride * in.stride, out_step = stride * out.stride;
  const float* from = in.data;
  float* to = out.data;
  for (int64_t q = 0; q < stride; ++q, from += in.stride, to += out.stride) {
    butterfly<radix, false>(roots, roots, from, in_step, to, out_step);
  }
  Roots turns = {roots.pairs + 2 * radix};
  for (int32_t p = 1; p < parts; ++p, turns.pairs += 2 * (radix - 1)) {
    to += (radix - 1) * out_step;
    for (int64_t q = 0; q < stride; ++q, from += in.stride, to += out.stride) {
      butterfly<radix, true>(roots, turns, from, in_step, to, out_step);
    }
  }
}

// The same for a large prime radix, by the definition. `work` holds 2 * radix vectors.
__attribute__((noinline)) void prime_pass(Roots roots, Source in, Target out, int32_t length, int64_t stride,
                                          int32_t radix, float* work) {
  constexpr int w = Vec::width;
  const int32_t parts = length / radix, half = radix / 2;
  const int64_t in_step = parts * stride * in.stride, out_step = stride * out.stride;
  const float* from = in.data;
  for (int32_t p = 0; p < parts; ++p) {
    const Roots turns = {roots.pairs + 2 * (radix + (p - 1) * int64_t{radix - 1})};
    float* to = out.data + p * radix * out_step;
    for (int64_t q = 0; q < stride; ++q, from += in.stride, to += out.stride) {
      const auto put = [&](Complex x, int32_t k) {
        store(p == 0 || k == 0 ? x : rotate(x, turns, k - 1), to + k * out_step);
      };
      const Complex first = load(from);
      Complex total = first;
      for (int32_t i = 1; i <= half; ++i) {
        const Complex a = load(from + i * in_step), b = load(from + (radix - i) * in_step);
        store(a + b, work + (i - 1) * 4 * w);
        store(a - b, work + (i - 1) * 4 * w + 2 * w);
        total = total + (a + b);
      }
      put(total, 0);
      // Two outputs at a time hide the latency of the additions; an odd one out is computed twice.
      for (int32_t k = 1; k <= half; k += 2) {
        const int32_t ks[2] = {k, k < half ? k + 1 : k};
        int32_t at[2] = {0, 0};
        Complex even[2] = {first, first}, odd[2] = {};
        for (int32_t i = 0; i < half; ++i) {
          const Complex sum = load(work + i * 4 * w), difference = load(work + i * 4 * w + 2 * w);
#pragma GCC unroll 2
          for (int j = 0; j < 2; ++j) {
            at[j] += at[j] < radix - ks[j] ? ks[j] : ks[j] - radix;
            even[j] = fma(sum, roots.cosine(at[j]), even[j]);
            odd[j] = fma(difference, roots.sine(at[j]), odd[j]);
          }
        }
        for (int j = 0; j < 2; ++j) {
          put(subtract_i_times(even[j], odd[j]), ks[j]);
          put(add_i_times(even[j], odd[j]), radix - ks[j]);
        }
      }
    }
  }
}

// Vectors of scratch that transform needs.
inline int64_t transform_vectors(int32_t length) { return int64_t{6} * length; }

// out[k] = sum over i of in[i] * exp(-2 pi i k / length). `out` overlaps neither `in` nor `work`, which holds
// transform_vectors(length) vectors.
void transform(const DftPlan& plan, Source in, Target out, float* work) {
  constexpr int element = 2 * Vec::width;
  int32_t length = plan.length, stride = 1;
  Roots roots = {plan.roots};
  for (int32_t i = 0; i < plan.factors; ++i) {
    const int32_t radix = plan.radix[i];
    const Target to = i + 1 == plan.factors ? out : Target{work + int64_t{i % 2} * element * plan.length, element};
    switch (radix) {
      case 1: pass<1>(roots, in, to, length, stride); break;
      case 2: pass<2>(roots, in, to, length, stride); break;
      case 3: pass<3>(roots, in, to, length, stride); break;
      case 4: pass<4>(roots, in, to, length, stride); break;
      case 5: pass<5>(roots, in, to, length, stride); break;
      case 7: pass<7>(roots, in, to, length, stride); break;
      case 8: pass<8>(roots, in, to, length, stride); break;
      default: prime_pass(roots, in, to, length, stride, radix, work + int64_t{2} * element * plan.length);
    }
    roots.pairs += 2 * (radix + (length / radix - 1) * int64_t{radix - 1});
    in = to;
    length /= radix;
    stride *= radix;
  }
}

}  // namespace
}  // namespace vtb::VTB_ISA
