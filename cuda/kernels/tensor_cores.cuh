// Asynchronous copies and tensor cores (sm_80 and later).
#pragma once

#include "vectors.cuh"

namespace vtb {

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

// Loads four matrices of 8 x 8 halves from shared memory into fragments; lane 8 i + r gives the address of row r of
// matrix i, aligned to 16 bytes. `transposed` transposes each.
template <bool transposed>
__device__ __forceinline__ void ldmatrix(uint32_t (&to)[4], const void* row);

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

template <bool transposed>
__device__ __forceinline__ void ldmatrix(uint32_t (&to)[4], const void* row) {
  const uint32_t from = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  if constexpr (transposed) {
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

template <bool transposed>
void ldmatrix(uint32_t (&to)[4], const void* row) {
  emulator::ldmatrix<transposed>(to, row);
}

#endif

}  // namespace vtb
