// Means over bins of a map; the mean over all positions is that of one bin.
#include "common.cuh"

namespace vtb {
namespace {

constexpr int pool_threads = 256;

// A block's threads of one column take turns at the positions of a bin for the same channels; their sums meet in shared
// memory.
template <typename T>
__device__ void adaptive_average_pool(const T* in, T* out, int32_t batch, int32_t height, int32_t width,
                                      int32_t channels, int32_t out_height, int32_t out_width) {
  by_width<T>(fits_vectors<T>(channels, in, out), [&](auto vector_width) {
    constexpr int n = decltype(vector_width)::value;
    VTB_SHARED(float, partial, pool_threads* n);
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
      for (int j = 0; j < n; ++j) partial[j * pool_threads + thread] = x[j];
      for (int32_t half = blockDim.y / 2; half > 0; half /= 2) {
        __syncthreads();
        if (static_cast<int32_t>(threadIdx.y) < half) {
#pragma unroll
          for (int j = 0; j < n; ++j)
            partial[j * pool_threads + thread] += partial[j * pool_threads + thread + half * blockDim.x];
        }
      }
      if (threadIdx.y == 0 && c < channels) {
#pragma unroll
        for (int j = 0; j < n; ++j) x[j] = partial[j * pool_threads + thread] / positions;
        store(out + bin * channels + c, x);
      }
      __syncthreads();
    }
  });
}

}  // namespace
}  // namespace vtb

// [batch, height, width, channels] to [batch, out_height, out_width, channels]; of m bins along
// an axis, bin i averages positions floor(i size / m) to ceil((i + 1) size / m) - 1. The mean over all positions of
// [batch, positions, channels] is that of height = positions, width = 1 and one bin; where they are so many that one
// block an image takes long, a launch for equal parts (batch * parts, positions / parts) and one for their means do.
//
// Block: (x, y) of at most 256 threads, x * vector_size channels, y, a power of two, threads that share a bin's
// positions: x = channels / vector_size up to 32, y = 256 / x rounded down to a power of two. Grid: bins *
// ceil(channels / (x * vector_size)).
#define VTB_ADAPTIVE_AVERAGE_POOL(suffix, T)                                                                \
  extern "C" __global__ void __launch_bounds__(256)                                                         \
      vtb_adaptive_average_pool_##suffix(const T* in, T* out, int32_t batch, int32_t height, int32_t width, \
                                         int32_t channels, int32_t out_height, int32_t out_width) {         \
    vtb::adaptive_average_pool(in, out, batch, height, width, channels, out_height, out_width);             \
  }                                                                                                         \
  VTB_REGISTER_KERNEL(vtb_adaptive_average_pool_##suffix, 256)
VTB_FOR_EACH_DTYPE(VTB_ADAPTIVE_AVERAGE_POOL)
