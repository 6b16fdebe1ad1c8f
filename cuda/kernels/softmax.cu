// Softmax of each row.
#include "common.cuh"

namespace vtb {
namespace {

// Three sweeps over a row, of which only the first finds it in memory; the others find it in the cache.
template <typename T>
__device__ void softmax(const T* in, T* out, int32_t rows, int32_t channels) {
  by_width<T>(fits_vectors<T>(channels, in, out), [&](auto width) {
    constexpr int n = decltype(width)::value;
    const int32_t begin = threadIdx.x * n, step = blockDim.x * n;
    for (int32_t first = blockIdx.x * blockDim.y; first < rows; first += gridDim.x * blockDim.y) {
      const int32_t row = first + threadIdx.y, end = row < rows ? channels : 0;
      const T* from = in + row * channels;
      T* to = out + row * channels;
      float x[n];
      float largest = -INFINITY;
      for (int32_t c = begin; c < end; c += step) {
        load(x, from + c);
#pragma unroll
        for (int i = 0; i < n; ++i) largest = Maximum()(largest, x[i]);
      }
      largest = reduce_row(largest, Maximum());
      float sum = 0;
      for (int32_t c = begin; c < end; c += step) {
        load(x, from + c);
#pragma unroll
        for (int i = 0; i < n; ++i) sum += expf(x[i] - largest);
      }
      const float scale = 1 / reduce_row(sum, Sum());
      for (int32_t c = begin; c < end; c += step) {
        load(x, from + c);
#pragma unroll
        for (int i = 0; i < n; ++i) x[i] = expf(x[i] - largest) * scale;
        store(to + c, x);
      }
    }
  });
}

}  // namespace
}  // namespace vtb

// in, out: [rows, channels]; out may be in.
//
// Block: as reduce_row asks, (threads a row, rows) of up to 256 threads; one warp a row does up to a few thousand
// channels. Grid: ceil(rows / block.y).
#define VTB_SOFTMAX(suffix, T)                                                    \
  extern "C" __global__ void __launch_bounds__(256)                               \
      vtb_softmax_##suffix(const T* in, T* out, int32_t rows, int32_t channels) { \
    vtb::softmax(in, out, rows, channels);                                        \
  }                                                                               \
  VTB_REGISTER_KERNEL(vtb_softmax_##suffix, 256)
VTB_FOR_EACH_DTYPE(VTB_SOFTMAX)
