// Vec: four floats on any machine (GCC vector extensions). The vocabulary is the same at every level.
#pragma once

#include <cstdint>

#define VTB_ISA generic

namespace vtb::generic {

typedef float Float4 __attribute__((vector_size(16)));
typedef int32_t Int4 __attribute__((vector_size(16)));

// Lanes chosen by a comparison.
struct Mask {
  Int4 v;
};

typedef uint16_t Half4 __attribute__((vector_size(8)));

// Rounded to bf16, halves to even. NaN stays NaN.
static inline Half4 to_bf16(Float4 x) {
  typedef uint32_t Bits4 __attribute__((vector_size(16)));
  const Bits4 bits = (Bits4)x, high = bits >> 16, rounded = (bits + 0x7fff + (high & 1)) >> 16;
  return __builtin_convertvector(x == x ? rounded : (high | 0x40), Half4);
}

struct Vec {
  static constexpr int width = 4;
  Float4 v;

  static Vec load(const float* p) { return {Float4{p[0], p[1], p[2], p[3]}}; }

  // The first n floats, 0 <= n < width, then zeros; touches no other memory.
  static Vec load_partial(const float* p, int n) {
    Vec r = zero();
    for (int i = 0; i < n; ++i) r.v[i] = p[i];
    return r;
  }

  // Integers, converted to floats: exact up to 2^24 in magnitude.
  static Vec load(const int32_t* p) { return {__builtin_convertvector((Int4{p[0], p[1], p[2], p[3]}), Float4)}; }

  static Vec load_partial(const int32_t* p, int n) {
    Int4 r = {0, 0, 0, 0};
    for (int i = 0; i < n; ++i) r[i] = p[i];
    return {__builtin_convertvector(r, Float4)};
  }

  void store(float* p) const { __builtin_memcpy(p, &v, sizeof v); }

  void store_partial(float* p, int n) const {
    for (int i = 0; i < n; ++i) p[i] = v[i];
  }

  // As bf16.
  void store(uint16_t* p) const { store_partial(p, width); }
  void store_partial(uint16_t* p, int n) const {
    const Half4 halves = to_bf16(v);
    __builtin_memcpy(p, &halves, n * sizeof *p);
  }

  // Quantised: the nearest integers, halves to even, of -128 .. 127, plus 128.
  void store(uint8_t* p) const { store_partial(p, width); }
  void store_partial(uint8_t* p, int n) const {
    // 1.5 * 2^23 + 128 leaves the integer in the lowest bits.
    const Float4 shift = {0x1.8001p23f, 0x1.8001p23f, 0x1.8001p23f, 0x1.8001p23f};
    const Int4 bits = (Int4)(v + shift);
    for (int i = 0; i < n; ++i) p[i] = static_cast<uint8_t>(bits[i]);
  }

  static Vec broadcast(float x) { return {Float4{x, x, x, x}}; }
  static Vec zero() { return {Float4{0, 0, 0, 0}}; }
};

static inline Vec operator+(Vec a, Vec b) { return {a.v + b.v}; }
static inline Vec operator-(Vec a, Vec b) { return {a.v - b.v}; }
static inline Vec operator*(Vec a, Vec b) { return {a.v * b.v}; }
static inline Vec operator/(Vec a, Vec b) { return {a.v / b.v}; }

// a * b + c. This level has no fused multiply-add and rounds twice.
static inline Vec fma(Vec a, Vec b, Vec c) { return {a.v * b.v + c.v}; }

// The larger and the smaller; b where either is NaN.
static inline Vec max(Vec a, Vec b) { return {a.v > b.v ? a.v : b.v}; }
static inline Vec min(Vec a, Vec b) { return {a.v < b.v ? a.v : b.v}; }

static inline Vec abs(Vec a) { return {(Float4)((Int4)a.v & 0x7fffffff)}; }

// a * b + c for terms that nearly cancel: the product is not rounded before the sum.
static inline Vec fma_exact_product(Vec a, Vec b, Vec c) {
  // Halves of 12 bits multiply exactly (T. J. Dekker, "A floating-point technique for extending the available
  // precision", 1971).
  const Float4 a_high = (Float4)((Int4)a.v & ~0xfff), b_high = (Float4)((Int4)b.v & ~0xfff);
  const Float4 a_low = a.v - a_high, b_low = b.v - b_high;
  return {(a_high * b_high + c.v) + (a_high * b_low + a_low * b_high) + a_low * b_low};
}

// To the nearest integer, halves to even, for |a| < 2^22.
static inline Vec round_to_nearest(Vec a) {
  const Float4 shift = Vec::broadcast(0x1.8p23f).v;
  return {(a.v + shift) - shift};
}

// a * 2^n for integers n <= 127; zero for n < -126.
static inline Vec scale_by_power_of_two(Vec a, Vec n) {
  const Int4 exponent = __builtin_convertvector(max(Vec::broadcast(-127), n).v, Int4) + 127;
  return {a.v * (Float4)(exponent << 23)};
}

// 2^n for x = 1.5 * 2^23 + 127 + n and integers -126 <= n <= 127; zero for n = -127.
static inline Vec power_of_two(Vec x) { return {(Float4)((Int4)x.v << 23)}; }

static inline Mask equal(Vec a, Vec b) { return {a.v == b.v}; }
static inline Mask less(Vec a, Vec b) { return {a.v < b.v}; }

// Lanes 0 .. n-1.
static inline Mask first_lanes(int n) { return {Int4{0, 1, 2, 3} < Int4{n, n, n, n}}; }

// Where the mask is set a, elsewhere b.
static inline Vec blend(Mask mask, Vec a, Vec b) { return {mask.v ? a.v : b.v}; }

// The bf16 in the lower and the upper half of each lane's bits.
static inline Vec lower_bf16(Vec pairs) { return {(Float4)((Int4)pairs.v << 16)}; }
static inline Vec upper_bf16(Vec pairs) { return {(Float4)((Int4)pairs.v & -65536)}; }

// The int32 in each lane's bits, as floats.
static inline Vec from_int32(Vec bits) { return {__builtin_convertvector((Int4)bits.v, Float4)}; }

// sum[i] + the dot product of the four unsigned bytes in a[i] with the four signed bytes, none -128, in b[i]: in int32,
// which wraps.
static inline Vec dot_bytes(Vec a, Vec b, Vec sum) {
  typedef int16_t Short8 __attribute__((vector_size(16)));
  typedef uint16_t Half8 __attribute__((vector_size(16)));
  typedef uint32_t Bits4 __attribute__((vector_size(16)));
  // Products fit 16 bits: 255 * 127.
  const Short8 s = (Short8)b.v;
  const Int4 even = (Int4)((Short8)((Half8)a.v & 0xff) * ((s << 8) >> 8)),
             odd = (Int4)((Short8)((Half8)a.v >> 8) * (s >> 8));
  const Int4 products = (((even << 16) >> 16) + (even >> 16)) + (((odd << 16) >> 16) + (odd >> 16));
  return {(Float4)((Bits4)sum.v + (Bits4)products)};
}

static inline float reduce_add(Vec a) { return (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]); }

static inline float reduce_max(Vec a) {
  const float x = a.v[0] > a.v[2] ? a.v[0] : a.v[2], y = a.v[1] > a.v[3] ? a.v[1] : a.v[3];
  return x > y ? x : y;
}

}  // namespace vtb::generic
