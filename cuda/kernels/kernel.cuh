// What every kernel file needs: CUDA C++ or the emulator's, entry points, and how launches are described. The same
// sources are compiled by nvcc and, for the emulator and for the functions of vertebra_cuda.h, by a host compiler.
//
// Shared memory is declared by VTB_SHARED and VTB_DYNAMIC_SHARED, and entry points by VTB_KERNEL or VTB_KERNELS;
// everything else is CUDA C++. The function vtbc_<op>_launch stands beside its kernels: what both have to know, such as
// the size of a tile, is one constant.
#pragma once

#include <stdint.h>

#include "vertebra_cuda.h"

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

// Defines the entry point `name`, which takes an Args by value as `args`, has up to `threads` threads a block, of which
// `blocks` are to fit a multiprocessor (0: as many as there happen to), and does what the last argument says. T stands
// for Type in both.
#define VTB_KERNEL(name, Type, Args, threads, blocks, ...)                                                  \
  namespace name##_entry {                                                                                  \
    using T = Type;                                                                                         \
    extern "C" __global__ void __launch_bounds__(threads, blocks) name(const __grid_constant__ Args args) { \
      __VA_ARGS__;                                                                                          \
    }                                                                                                       \
    VTB_REGISTER_KERNEL(name, threads)                                                                      \
  }

// Defines <name>_f32, <name>_f16 and <name>_bf16, and <name>_names, their names by vtbc_dtype.
#define VTB_KERNELS(name, Args, threads, blocks, ...)                        \
  VTB_KERNEL(name##_f32, float, Args, threads, blocks, __VA_ARGS__)          \
  VTB_KERNEL(name##_f16, __half, Args, threads, blocks, __VA_ARGS__)         \
  VTB_KERNEL(name##_bf16, __nv_bfloat16, Args, threads, blocks, __VA_ARGS__) \
  static const char* const name##_names[] = {#name "_f32", #name "_f16", #name "_bf16"};

namespace vtb {

// Threads of a block, where nothing else is said.
constexpr int block_threads = 256;

// This thread's place in a one-dimensional grid of one-dimensional blocks, and the number of its threads.
__device__ __forceinline__ uint32_t global_thread() { return blockIdx.x * blockDim.x + threadIdx.x; }
__device__ __forceinline__ uint32_t global_threads() { return gridDim.x * blockDim.x; }

constexpr int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// A launch that gives every item a thread.
inline vtbc_launch launch_threads(const char* kernel, int64_t items) {
  return {kernel, divide_up(items, block_threads), block_threads, 1, 0, 0};
}

}  // namespace vtb
