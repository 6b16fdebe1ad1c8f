// Reductions over the threads of a row.
#pragma once

#include "kernel.cuh"

namespace vtb {

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

}  // namespace vtb
