// The vocabulary of all kernels. The same sources are compiled by nvcc and, for the emulator, by a host compiler.
//
// Activations are [rows, channels], channels last, of the storage type T: float, __half or __nv_bfloat16. Arithmetic is
// in float. Vectors of channels (bias, gamma, ...) are float. A tensor has fewer than 2^31 elements, so that 32-bit
// indices do.
//
// A kernel is right for any grid, and moves 16 bytes an access where addresses and lengths allow it, else element by
// element.
//
// Shared memory is declared by VTB_SHARED and VTB_DYNAMIC_SHARED, and every entry point is listed by
// VTB_REGISTER_KERNEL; everything else is CUDA C++.
#pragma once

#include <stdint.h>

#ifdef __CUDACC__

#include <cuda_bf16.h>
#include <cuda_fp16.h>

// count elements of static shared memory, aligned to 128 bytes, and the pointer `name` to them.
#define VTB_SHARED(T, name, count)                   \
  __shared__ __align__(128) T name##_storage[count]; \
  T* const name = name##_storage

// The launch's dynamic shared memory, aligned to 128 bytes, and the pointer `name` to it.
#define VTB_DYNAMIC_SHARED(T, name)                                           \
  extern __shared__ __align__(128) unsigned char vtb_dynamic_shared_memory[]; \
  T* const name = reinterpret_cast<T*>(vtb_dynamic_shared_memory)

// Makes an entry point known to the emulator; max_threads is its launch bound.
#define VTB_REGISTER_KERNEL(name, max_threads)
#define VTB_CHECK_ALIGNED(address, bytes)

#else

#include "tensor_core.h"

#define VTB_SHARED(T, name, count)                              \
  static vtb::emulator::SharedArray<T, (count)> name##_storage; \
  T* const name = name##_storage.get()
#define VTB_DYNAMIC_SHARED(T, name) T* const name = static_cast<T*>(vtb::emulator::dynamic_shared())
#define VTB_REGISTER_KERNEL(name, max_threads) \
  static const vtb::emulator::Registration name##_registration(#name, name, max_threads);
#define VTB_CHECK_ALIGNED(address, bytes) vtb::emulator::check_aligned(address, bytes)

#endif

// M(suffix, T) for every storage type.
#define VTB_FOR_EACH_DTYPE(M) M(f32, float) M(f16, __half) M(bf16, __nv_bfloat16)

namespace vtb {

// ---- storage types --------------------------------------------------------------------------------------------------

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

// Two halves in a register, as tensor cores take them.
template <typename T>
__device__ __forceinline__ uint32_t pack(float low, float high);

#ifdef __CUDACC__

template <>
__device__ __forceinline__ uint32_t pack<__half>(float low, float high) {
  const __half2 both = __floats2half2_rn(low, high);
  return reinterpret_cast<const uint32_t&>(both);
}
template <>
__device__ __forceinline__ uint32_t pack<__nv_bfloat16>(float low, float high) {
  const __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
  return reinterpret_cast<const uint32_t&>(both);
}

#else

template <typename T>
uint32_t pack(float low, float high) {
  return from_float<T>(low).bits | uint32_t{from_float<T>(high).bits} << 16;
}

#endif

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
__device__ __forceinline__ bool aligned_16(const P*... addresses) {
  return ((reinterpret_cast<uintptr_t>(addresses) | ...) & 15) == 0;
}

// Whether runs of `length` elements at these addresses, null ones apart, can be read and written by vectors of
// vector_size<T>.
template <typename T, typename... P>
__device__ __forceinline__ bool fits_vectors(int64_t length, const P*... addresses) {
  return length % vector_size<T> == 0 && aligned_16(addresses...);
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

// ---- activation functions -------------------------------------------------------------------------------------------

// Values of vtb_activation and io.vertebra.program.Activation.
enum Activation : int32_t { identity = 0, gelu = 1, relu = 2, silu = 3, sigmoid = 4, hyperbolic_tangent = 5 };

// NaN stays NaN.
__device__ __forceinline__ float activate(float x, int32_t activation) {
  switch (activation) {
    case gelu: return 0.5f * x * (1 + erff(x * 0.707106781f));
    case relu: return x < 0 ? 0 : x;
    case silu: return x / (1 + expf(-x));
    case sigmoid: return 1 / (1 + expf(-x));
    case hyperbolic_tangent: return tanhf(x);
    default: return x;
  }
}

template <int n>
__device__ __forceinline__ void activate(float (&values)[n], int32_t activation) {
  if (activation == identity) return;
#pragma unroll
  for (int i = 0; i < n; ++i) values[i] = activate(values[i], activation);
}

// 2^x with an error of 2 units in the last place; 0 below the smallest normal number.
__device__ __forceinline__ float exp2_approximate(float x) {
#ifdef __CUDACC__
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return exp2f(x);
#endif
}

// ---- indices and reductions -----------------------------------------------------------------------------------------

// This thread's place in a one-dimensional grid of one-dimensional blocks, and the number of its threads.
__device__ __forceinline__ uint32_t global_thread() { return blockIdx.x * blockDim.x + threadIdx.x; }
__device__ __forceinline__ uint32_t global_threads() { return gridDim.x * blockDim.x; }

struct Sum {
  __device__ __forceinline__ float operator()(float a, float b) const { return a + b; }
};

// NaN is larger than all numbers.
struct Maximum {
  __device__ __forceinline__ float operator()(float a, float b) const { return a > b || a != a ? a : b; }
};

// Combines the values of the threads of a row: those with the same threadIdx.y of a block (threads a row, rows),
// threads being a power of two up to 32 or a multiple of 32; at most 1024 / 32 warps. All threads of the block call it.
template <typename Combine>
__device__ __forceinline__ float reduce_row(float value, Combine combine) {
  const int threads = static_cast<int>(blockDim.x);
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    if (distance < threads) value = combine(value, __shfl_xor_sync(0xffffffff, value, distance));
  }
  if (threads <= 32) return value;
  VTB_SHARED(float, partial, 32);
  const int warps = threads / 32, first = threadIdx.y * warps;
  if (threadIdx.x % 32 == 0) partial[first + threadIdx.x / 32] = value;
  __syncthreads();
  value = partial[first];
  for (int i = 1; i < warps; ++i) value = combine(value, partial[first + i]);
  __syncthreads();
  return value;
}

// ---- asynchronous copies and tensor cores (sm_80 and later) ---------------------------------------------------------

// Starts a copy of 16 bytes to shared memory; both addresses are aligned to 16. Unless `real`, it is of zeros, and
// `global` may be anything.
__device__ __forceinline__ void copy_async_16(void* shared, const void* global, bool real = true) {
#ifdef __CUDACC__
  const uint32_t to = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(real ? 16 : 0) : "memory");
#else
  static const uint4 zeros = {};
  if (!real) global = &zeros;
  emulator::check_aligned(shared, 16);
  emulator::check_aligned(global, 16);
  emulator::copy_async(shared, global, 16);
#endif
}

// Ends a group of copies of this thread.
__device__ __forceinline__ void commit_copies() {
#ifdef __CUDACC__
  asm volatile("cp.async.commit_group;" ::: "memory");
#else
  emulator::commit_copies();
#endif
}

// Waits until at most `groups` of this thread's groups are under way. Other threads see what was copied after a
// barrier.
template <int groups>
__device__ __forceinline__ void wait_copies() {
#ifdef __CUDACC__
  asm volatile("cp.async.wait_group %0;" ::"n"(groups) : "memory");
#else
  emulator::wait_copies(groups);
#endif
}

// d += a b of a warp: a 16 x 16, b 16 x 8, d 16 x 8; fragments as in the PTX ISA (mma.m16n8k16). T is __half or
// __nv_bfloat16.
template <typename T>
__device__ __forceinline__ void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);

// Loads `count` (1, 2 or 4) matrices of 8 x 8 halves from shared memory into fragments; lane 8 i + r gives the address
// of row r of matrix i, aligned to 16 bytes. `transposed` transposes each.
template <bool transposed, int count>
__device__ __forceinline__ void ldmatrix(uint32_t (&to)[count], const void* row);

#ifdef __CUDACC__

#define VTB_MMA(T, dtype)                                                                                       \
  template <>                                                                                                   \
  __device__ __forceinline__ void mma_m16n8k16<T>(float(&d)[4], const uint32_t(&a)[4], const uint32_t(&b)[2]) { \
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." dtype "." dtype                                       \
                 ".f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "                                          \
                 "{%0, %1, %2, %3};"                                                                            \
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                               \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));                           \
  }
VTB_MMA(__half, "f16")
VTB_MMA(__nv_bfloat16, "bf16")
#undef VTB_MMA

template <bool transposed, int count>
__device__ __forceinline__ void ldmatrix(uint32_t (&to)[count], const void* row) {
  static_assert(count == 1 || count == 2 || count == 4, "ldmatrix loads 1, 2 or 4 matrices");
  const uint32_t from = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  if constexpr (count == 1 && transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];" : "=r"(to[0]) : "r"(from) : "memory");
  } else if constexpr (count == 1) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];" : "=r"(to[0]) : "r"(from) : "memory");
  } else if constexpr (count == 2 && transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(to[0]), "=r"(to[1])
                 : "r"(from)
                 : "memory");
  } else if constexpr (count == 2) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(to[0]), "=r"(to[1])
                 : "r"(from)
                 : "memory");
  } else if constexpr (transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(from)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(from)
                 : "memory");
  }
}

#else

template <typename T>
void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  emulator::mma_m16n8k16<T>(d, a, b);
}

template <bool transposed, int count>
void ldmatrix(uint32_t (&to)[count], const void* row) {
  emulator::ldmatrix<count, transposed>(to, row);
}

#endif

}  // namespace vtb
