// Kernels that show the emulator's semantics, right and wrong uses of them.
#include "emulator_kernels.h"
#include "tensor_cores.cuh"

extern "C" {

// out[t] = what operation `what` gives lane t of a warp.
__global__ void shuffles(WhatAndOut args) {
  int32_t* const out = static_cast<int32_t*>(args.out);
  const int t = threadIdx.x;
  const uint32_t all = 0xffffffff;
  switch (args.what) {
    case 0: out[t] = __shfl_sync(all, t, 5); break;
    case 1: out[t] = __shfl_sync(all, t, 3, 8); break;
    case 2: out[t] = __shfl_xor_sync(all, t, 16); break;
    case 3: out[t] = __shfl_up_sync(all, t, 2); break;
    case 4: out[t] = static_cast<int32_t>(__ballot_sync(all, t % 3 == 0)); break;
    default:
      // Two halves of the warp, each on its own.
      if (t < 16) {
        out[t] = __shfl_sync(0x0000ffff, t, 7);
      } else {
        out[t] = __shfl_sync(0xffff0000, t, 20);
      }
  }
}
VTB_REGISTER_KERNEL(shuffles, 32)

// A sum over the block by a tree in shared memory.
__global__ void tree_sum(InAndOut args) {
  VTB_DYNAMIC_SHARED(float, values);
  values[threadIdx.x] = args.in[blockIdx.x * blockDim.x + threadIdx.x];
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (static_cast<int>(threadIdx.x) < half) values[threadIdx.x] += values[threadIdx.x + half];
  }
  if (threadIdx.x == 0) args.out[blockIdx.x] = values[0];
}
VTB_REGISTER_KERNEL(tree_sum, 1024)

// Where each thread is, through all dimensions.
__global__ void indices(WhatAndOut args) {
  int32_t* const out = static_cast<int32_t*>(args.out);
  const int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const int i = block * blockDim.x * blockDim.y * blockDim.z + thread;
  out[i] = atomicAdd(out + i, i + 2) + i;  // -1 before
}
VTB_REGISTER_KERNEL(indices, 1024)

// One mistake after the other.
__global__ void wrong(WhatAndOut args) {
  VTB_SHARED(float, shared, 33);
  float* const out = static_cast<float*>(args.out);
  const int t = threadIdx.x;
  switch (args.what) {
    case 0:  // the last thread does not come to the barrier
      if (t == 40) return;
      __syncthreads();
      break;
    case 1:  // different barriers
      if (t < 32) {
        __syncthreads();
      } else {
        __syncthreads();
      }
      break;
    case 2:  // lane 3 does not come
      if (t == 3) return;
      __syncwarp();
      break;
    case 3:  // different masks
      __syncwarp(t % 32 == 3 ? 0xffffffff : 0xfffffff7);
      break;
    case 4:  // a barrier here, a warp operation there
      if (t < 7) {
        __syncthreads();
      } else {
        __syncwarp();
      }
      break;
    case 5: shared[33 + t] = 0; break;
    case 6: out[64 + t] = 0; break;
    case 7: out[-1 - t] = 0; break;
    case 8: {
      float x[4];
      vtb::load(x, out + 1);
      out[t] = x[0];
      break;
    }
    case 9: out[t] = shared[t % 33]; break;
    case 10: {  // no wait for the copy
      vtb::copy_async_16(shared, out);
      vtb::commit_copies();
      __syncthreads();
      out[t] = shared[t % 4];
      break;
    }
    case 11: out[t] = t < 16 ? __shfl_sync(0xffff, static_cast<float>(t), 20) : 0; break;  // reads a lane outside
    case 12: out[t] = out[64 + t]; break;
    default: out[t] = 1;
  }
}
VTB_REGISTER_KERNEL(wrong, 64)

// Runs `what` barriers a thread.
__global__ void barriers(WhatAndOut args) {
  for (int i = 0; i < args.what; ++i) __syncthreads();
}
VTB_REGISTER_KERNEL(barriers, 1024)

}  // extern "C"

// c [16, 8] = a [16, 16] b [16, 8], row-major, through shared memory, asynchronous copies and ldmatrix.
template <typename T>
__device__ void multiply(const Product& args) {
  const T *const a = static_cast<const T*>(args.a), *const b = static_cast<const T*>(args.b);
  VTB_SHARED(T, tile_a, 256);
  VTB_SHARED(T, tile_b, 128);
  const int lane = threadIdx.x;
  vtb::copy_async_16(tile_a + 8 * lane, a + 8 * lane);
  if (lane < 16) vtb::copy_async_16(tile_b + 8 * lane, b + 8 * lane);
  vtb::commit_copies();
  vtb::wait_copies<0>();
  __syncwarp();
  uint32_t fragment_a[4], fragment_b[4];  // b twice
  vtb::ldmatrix<false>(fragment_a, tile_a + lane % 16 * 16 + lane / 16 * 8);
  vtb::ldmatrix<true>(fragment_b, tile_b + lane % 16 * 8);
  float d[4] = {0, 0, 0, 0};
  vtb::mma_m16n8k16<T>(d, fragment_a, {fragment_b[0], fragment_b[1]});
  for (int i = 0; i < 4; ++i) args.c[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = d[i];
}

VTB_KERNEL(multiply_f16, __half, Product, 32, 1, multiply<T>(args))
VTB_KERNEL(multiply_bf16, __nv_bfloat16, Product, 32, 1, multiply<T>(args))
