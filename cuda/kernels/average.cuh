// Means over the bins of a map; the mean over all positions is that of one bin.
#pragma once

#include <algorithm>

#include "vectors.cuh"

namespace vtb {
namespace {

// [batch, height, width, channels] to [batch, out_height, out_width, channels]. Of m bins along an axis, bin i averages
// positions floor(i size / m) to ceil((i + 1) size / m) - 1.
//
// Block: (x, y) of at most 256 threads, y being a power of two. A block's threads of one column take turns at the
// positions of a bin for the same channels; their sums meet in shared memory.
template <typename T>
__device__ __forceinline__ void average_bins(const T* in, T* out, int32_t batch, int32_t height, int32_t width,
                                             int32_t channels, int32_t out_height, int32_t out_width) {
  by_width<T>(fits_vectors<T>(channels, in, out), [&](auto vector_width) {
    constexpr int n = decltype(vector_width)::value;
    VTB_SHARED(float, partial, block_threads* n);
    const int32_t tile = blockDim.x * n, tiles = (channels + tile - 1) / tile,
                  count = batch * out_height * out_width * tiles;
    const int32_t thread = threadIdx.y * blockDim.x + threadIdx.x;
    for (int32_t i = blockIdx.x; i < count; i += gridDim.x) {
      const int32_t bin = i / tiles, c = i % tiles * tile + threadIdx.x * n;
      const int32_t column = bin % out_width, row = bin / out_width % out_height, image = bin / out_width / out_height;
      const int32_t top = row * height / out_height, bottom = ((row + 1) * height + out_height - 1) / out_height;
      const int32_t left = column * width / out_width, right = ((column + 1) * width + out_width - 1) / out_width;
      const int32_t columns = right - left, positions = (bottom - top) * columns;
      float x[n];
      fill(x, 0);
      for (int32_t p = threadIdx.y; p < positions && c < channels; p += blockDim.y) {
        const int32_t y = top + p / columns, source = (image * height + y) * width + left + p % columns;
        add_from(x, in + source * channels + c);
      }
#pragma unroll
      for (int j = 0; j < n; ++j) partial[j * block_threads + thread] = x[j];
      for (int32_t half = blockDim.y / 2; half > 0; half /= 2) {
        __syncthreads();
        if (static_cast<int32_t>(threadIdx.y) < half) {
#pragma unroll
          for (int j = 0; j < n; ++j)
            partial[j * block_threads + thread] += partial[j * block_threads + thread + half * blockDim.x];
        }
      }
      if (threadIdx.y == 0 && c < channels) {
#pragma unroll
        for (int j = 0; j < n; ++j) x[j] = partial[j * block_threads + thread] / positions;
        store(out + bin * channels + c, x);
      }
      __syncthreads();
    }
  });
}

// A block for each bin and up to 32 vectors of channels, its other threads sharing the bin's positions.
inline vtbc_launch launch_bins(const char* kernel, int64_t bins, int32_t channels, int64_t vector) {
  const int32_t x = std::clamp<int32_t>(channels / vector, 1, 32);
  int32_t y = 1;
  while (2 * x * y <= block_threads) y *= 2;
  return {kernel, bins * divide_up(channels, x * vector), x, y, 0, 0};
}

}  // namespace
}  // namespace vtb
