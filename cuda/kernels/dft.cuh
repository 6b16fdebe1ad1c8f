// The discrete Fourier transform, of any length, of lines of complex numbers in shared memory.
#pragma once

#include "vectors.cuh"

namespace vtb::global_filter {
namespace {

// Complex numbers of an element: signals that are transformed side by side.
constexpr int pairs = 4;

__device__ __forceinline__ float2 operator+(float2 a, float2 b) { return make_float2(a.x + b.x, a.y + b.y); }
__device__ __forceinline__ float2 operator-(float2 a, float2 b) { return make_float2(a.x - b.x, a.y - b.y); }

// a + i b and a - i b
__device__ __forceinline__ float2 add_i_times(float2 a, float2 b) { return make_float2(a.x - b.y, a.y + b.x); }
__device__ __forceinline__ float2 subtract_i_times(float2 a, float2 b) { return make_float2(a.x + b.y, a.y - b.x); }

// x y + z, y being real
__device__ __forceinline__ float2 multiply_add(float2 x, float y, float2 z) {
  return make_float2(x.x * y + z.x, x.y * y + z.y);
}

__device__ __forceinline__ float2 multiply(float2 a, float2 b) {
  return make_float2(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

// x times the conjugate of y
__device__ __forceinline__ float2 rotate(float2 x, float2 y) {
  return make_float2(x.x * y.x + x.y * y.y, x.y * y.x - x.x * y.y);
}

// roots[k] = exp(2 pi i k / n), k < n
__device__ __forceinline__ void make_roots(float2* roots, int32_t n) {
  for (int32_t k = threadIdx.x; k < n; k += blockDim.x) {
    const int32_t turn = 2 * k <= n ? k : k - n;
    sincospif(static_cast<float>(2 * turn) / static_cast<float>(n), &roots[k].y, &roots[k].x);
  }
}

// x[k] becomes the sum over i of x[i] * exp(-2 pi i k / radix), here for the odd radices. Terms i and radix - i share a
// cosine, and their sines differ in sign only. Root k of the radix is roots[k * step].
template <int radix>
__device__ __forceinline__ void butterfly(float2 (&x)[radix], const float2* roots, int32_t step) {
  constexpr int half = radix / 2;
  const float2 first = x[0];
  float2 sum[half + 1], difference[half + 1];
#pragma unroll
  for (int i = 1; i <= half; ++i) {
    sum[i] = x[i] + x[radix - i];
    difference[i] = x[i] - x[radix - i];
    x[0] = x[0] + sum[i];
  }
#pragma unroll
  for (int k = 1; k <= half; ++k) {
    float2 even = first, odd = make_float2(0, 0);
#pragma unroll
    for (int i = 1; i <= half; ++i) {
      const float2 root = roots[i * k % radix * step];
      even = multiply_add(sum[i], root.x, even);
      odd = multiply_add(difference[i], root.y, odd);
    }
    x[k] = subtract_i_times(even, odd);
    x[radix - k] = add_i_times(even, odd);
  }
}

__device__ __forceinline__ void butterfly(float2 (&)[1], const float2*, int32_t) {}

__device__ __forceinline__ void butterfly(float2 (&x)[2], const float2*, int32_t) {
  const float2 difference = x[0] - x[1];
  x[0] = x[0] + x[1];
  x[1] = difference;
}

__device__ __forceinline__ void butterfly(float2 (&x)[4], const float2*, int32_t) {
  const float2 a = x[0] + x[2], b = x[0] - x[2], c = x[1] + x[3], d = x[1] - x[3];
  x[0] = a + c;
  x[1] = subtract_i_times(b, d);
  x[2] = a - c;
  x[3] = add_i_times(b, d);
}

__device__ __forceinline__ void butterfly(float2 (&x)[8], const float2* roots, int32_t step) {
  float2 even[4] = {x[0], x[2], x[4], x[6]}, odd[4] = {x[1], x[3], x[5], x[7]};
  butterfly(even, roots, step);
  butterfly(odd, roots, step);
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    const float2 turned = k == 0 ? odd[0] : rotate(odd[k], roots[k * step]);
    x[k] = even[k] + turned;
    x[k + 4] = even[k] - turned;
  }
}

// Lines in the launch's dynamic shared memory, from complex number `first` on, `line` numbers apart; their elements, of
// `pairs` numbers, are `element` apart. Without pointers, as the compiler then knows that all is shared memory.
struct Lines {
  int32_t first, line, element;
};

// One factor of the transform of lines of n elements: Stockham's self-sorting form of Cooley and Tukey's algorithm
// (C. Van Loan, "Computational Frameworks for the Fast Fourier Transform", 1992), decimation in frequency, over
// `stride` interleaved signals of n / stride elements.
template <int radix>
__device__ __forceinline__ void pass(const float2* roots, int32_t n, int32_t stride, Lines in, Lines out,
                                     int32_t lines) {
  VTB_DYNAMIC_SHARED(float2, shared);
  const uint32_t butterflies = n / radix;
  for (uint32_t i = threadIdx.x; i < lines * butterflies * pairs; i += blockDim.x) {
    const uint32_t pair = i % pairs, line = i / pairs / butterflies, b = i / pairs - line * butterflies;
    const uint32_t p = b / stride;
    const float2* from = shared + in.first + line * in.line + b * in.element + pair;
    float2* to = shared + out.first + line * out.line + (b + p * (radix - 1) * stride) * out.element + pair;
    float2 x[radix];
#pragma unroll
    for (int k = 0; k < radix; ++k) x[k] = from[k * butterflies * in.element];
    butterfly(x, roots, n / radix);
    to[0] = x[0];
#pragma unroll
    for (int k = 1; k < radix; ++k) to[k * stride * out.element] = rotate(x[k], roots[k * p * stride]);
  }
}

// The same for a large prime radix, by the definition: a thread computes two outputs that share sums and differences.
__device__ __forceinline__ void prime_pass(int32_t radix, const float2* roots, int32_t n, int32_t stride, Lines in,
                                           Lines out, int32_t lines) {
  VTB_DYNAMIC_SHARED(float2, shared);
  const uint32_t butterflies = n / radix, items = lines * butterflies * pairs, half = radix / 2;
  for (uint32_t i = threadIdx.x; i < items * (half + 1); i += blockDim.x) {
    const uint32_t k = i / items, within = i - k * items;
    const uint32_t pair = within % pairs, line = within / pairs / butterflies;
    const uint32_t b = within / pairs - line * butterflies, p = b / stride;
    const float2* from = shared + in.first + line * in.line + b * in.element + pair;
    const int32_t step = butterflies * in.element;
    float2 even = from[0], odd = make_float2(0, 0);
    uint32_t at = 0;
    for (uint32_t t = 1; t <= half; ++t) {
      const float2 x = from[t * step], y = from[(radix - t) * step];
      at += at + k < static_cast<uint32_t>(radix) ? k : k - radix;
      const float2 root = roots[at * butterflies];
      even = multiply_add(x + y, root.x, even);
      odd = multiply_add(x - y, root.y, odd);
    }
    float2* to = shared + out.first + line * out.line + (b + p * (radix - 1) * stride) * out.element + pair;
    to[k * stride * out.element] = rotate(subtract_i_times(even, odd), roots[k * p * stride]);
    if (k == 0) continue;
    to[(radix - k) * stride * out.element] = rotate(add_i_times(even, odd), roots[(radix - k) * p * stride]);
  }
}

// A factor of n: one that has a butterfly of its own, or a prime.
__device__ __forceinline__ int32_t factor(int32_t n) {
  for (int32_t radix : {8, 4, 7, 5, 3, 2}) {
    if (n % radix == 0) return radix;
  }
  for (int32_t prime = 11; prime * prime <= n; prime += 2) {
    if (n % prime == 0) return prime;
  }
  return n;
}

// Each line's element k becomes the sum over i of element i * exp(-2 pi i k / n). `spare` has room for the lines. All
// threads of the block call it; it starts and ends with a barrier.
__device__ __forceinline__ void transform(const float2* roots, int32_t n, Lines data, Lines spare, int32_t lines) {
  bool in_spare = false;
  // Where an odd number of passes would leave the result in `spare`, one of radix 1 brings it back.
  for (int32_t stride = 1; stride < n || in_spare; in_spare = !in_spare) {
    const int32_t radix = factor(n / stride);
    const Lines in = in_spare ? spare : data, out = in_spare ? data : spare;
    __syncthreads();
    switch (radix) {
      case 1: pass<1>(roots, n, stride, in, out, lines); break;
      case 2: pass<2>(roots, n, stride, in, out, lines); break;
      case 3: pass<3>(roots, n, stride, in, out, lines); break;
      case 4: pass<4>(roots, n, stride, in, out, lines); break;
      case 5: pass<5>(roots, n, stride, in, out, lines); break;
      case 7: pass<7>(roots, n, stride, in, out, lines); break;
      case 8: pass<8>(roots, n, stride, in, out, lines); break;
      default: prime_pass(radix, roots, n, stride, in, out, lines);
    }
    stride *= radix;
  }
  __syncthreads();
}

}  // namespace
}  // namespace vtb::global_filter
