// Storage types and vectors of them.
//
// Activations are [rows, channels], channels last, of the storage type T: float, __half or __nv_bfloat16. Arithmetic is
// in float. Vectors of channels (bias, gamma, ...) are float. A tensor has fewer than 2^31 elements, so that 32-bit
// indices do.
#pragma once

#include "kernel.cuh"

namespace vtb {

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(__half x) { return __half2float(x); }
__device__ __forceinline__ float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }

template <typename T>
__device__ __forceinline__ T from_float(float x);
template <>
__device__ __forceinline__ float from_float<float>(float x) {
  return x;
}
template <>
__device__ __forceinline__ __half from_float<__half>(float x) {
  return __float2half_rn(x);
}
template <>
__device__ __forceinline__ __nv_bfloat16 from_float<__nv_bfloat16>(float x) {
  return __float2bfloat16_rn(x);
}

// How many T make 16 bytes, the widest access of a thread.
template <typename T>
constexpr int vector_size = 16 / sizeof(T);

// n consecutive elements that one access moves, or several of 16 bytes.
template <typename T, int n>
struct alignas(n * sizeof(T) < 16 ? n * sizeof(T) : 16) Vector {
  T values[n];
};

// Reads n elements; p is aligned to their size, or to 16 bytes where that is less.
template <int n, typename T>
__device__ __forceinline__ void load(float (&to)[n], const T* p) {
  VTB_CHECK_ALIGNED(p, alignof(Vector<T, n>));
  const Vector<T, n> vector = *reinterpret_cast<const Vector<T, n>*>(p);
#pragma unroll
  for (int i = 0; i < n; ++i) to[i] = to_float(vector.values[i]);
}

template <int n, typename T>
__device__ __forceinline__ void store(T* p, const float (&from)[n]) {
  VTB_CHECK_ALIGNED(p, alignof(Vector<T, n>));
  Vector<T, n> vector;
#pragma unroll
  for (int i = 0; i < n; ++i) vector.values[i] = from_float<T>(from[i]);
  *reinterpret_cast<Vector<T, n>*>(p) = vector;
}

template <int n>
__device__ __forceinline__ void fill(float (&to)[n], float value) {
#pragma unroll
  for (int i = 0; i < n; ++i) to[i] = value;
}

template <int n>
__device__ __forceinline__ void add(float (&to)[n], const float (&term)[n]) {
#pragma unroll
  for (int i = 0; i < n; ++i) to[i] += term[i];
}

template <int n>
__device__ __forceinline__ void multiply(float (&to)[n], const float (&factor)[n]) {
#pragma unroll
  for (int i = 0; i < n; ++i) to[i] *= factor[i];
}

// Adds or multiplies by n elements at p.
template <int n, typename T>
__device__ __forceinline__ void add_from(float (&to)[n], const T* p) {
  float term[n];
  load(term, p);
  add(to, term);
}

template <int n, typename T>
__device__ __forceinline__ void multiply_from(float (&to)[n], const T* p) {
  float factor[n];
  load(factor, p);
  multiply(to, factor);
}

// Whether every address is aligned to 16 bytes; null is.
template <typename... P>
__host__ __device__ __forceinline__ bool aligned_16(const P*... addresses) {
  return ((reinterpret_cast<uintptr_t>(addresses) | ...) & 15) == 0;
}

// Whether runs of `length` elements at these addresses, null ones apart, can be read and written by vectors of
// vector_size<T>.
template <typename T, typename... P>
__host__ __device__ __forceinline__ bool fits_vectors(int64_t length, const P*... addresses) {
  return length % vector_size<T> == 0 && aligned_16(addresses...);
}

// For launches: calls body with a value of a type as wide as the dtype.
template <typename Body>
inline int64_t by_dtype(vtbc_dtype dtype, Body body) {
  return dtype == VTBC_F32 ? body(float()) : body(__half());
}

// For launches: the elements of an access to runs of `length` elements at these addresses.
template <typename... P>
inline int64_t access_elements(vtbc_dtype dtype, int64_t length, const P*... addresses) {
  return by_dtype(dtype, [&](auto of) {
    using T = decltype(of);
    return fits_vectors<T>(length, addresses...) ? vector_size<T> : 1;
  });
}

template <int n>
struct Width {
  static constexpr int value = n;
};

// Calls body with a Width: of a vector if `vectors`, which is the same for all threads, else 1.
template <typename T, typename Body>
__device__ __forceinline__ void by_width(bool vectors, Body body) {
  if (vectors) {
    body(Width<vector_size<T>>());
  } else {
    body(Width<1>());
  }
}

}  // namespace vtb
