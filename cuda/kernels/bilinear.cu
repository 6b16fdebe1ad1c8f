// Bilinear resizing of maps.
#include "common.cuh"

namespace vtb {
namespace {

struct BilinearAxis {
  int32_t low, high;
  float fraction;  // of high
};

// Half-pixel centres: source = max((i + 0.5) * size / out_size - 0.5, 0), the upper neighbour clamped. Integers, so
// that only the fraction is rounded.
__device__ __forceinline__ BilinearAxis bilinear_axis(int32_t i, int32_t size, int32_t out_size) {
  const int32_t numerator = max((2 * i + 1) * size - out_size, 0), denominator = 2 * out_size;
  const int32_t low = numerator / denominator;
  return {low, min(low + 1, size - 1), static_cast<float>(numerator - low * denominator) / denominator};
}

template <typename T>
__device__ void bilinear(const T* in, T* out, int32_t batch, int32_t height, int32_t width, int32_t channels,
                         int32_t out_height, int32_t out_width) {
  by_width<T>(fits_vectors<T>(channels, in, out), [&](auto vector_width) {
    constexpr int n = decltype(vector_width)::value;
    const uint32_t row_vectors = channels / n, count = batch * out_height * out_width * row_vectors;
    for (uint32_t i = global_thread(); i < count; i += global_threads()) {
      const uint32_t position = i / row_vectors, c = i % row_vectors * n;
      const BilinearAxis x = bilinear_axis(position % out_width, width, out_width);
      const BilinearAxis y = bilinear_axis(position / out_width % out_height, height, out_height);
      const T* image = in + position / out_width / out_height * height * width * channels + c;
      float top_left[n], top_right[n], bottom_left[n], bottom_right[n];
      load(top_left, image + (y.low * width + x.low) * channels);
      load(top_right, image + (y.low * width + x.high) * channels);
      load(bottom_left, image + (y.high * width + x.low) * channels);
      load(bottom_right, image + (y.high * width + x.high) * channels);
#pragma unroll
      for (int j = 0; j < n; ++j) {
        const float top = top_left[j] * (1 - x.fraction) + top_right[j] * x.fraction;
        const float bottom = bottom_left[j] * (1 - x.fraction) + bottom_right[j] * x.fraction;
        top_left[j] = top * (1 - y.fraction) + bottom * y.fraction;
      }
      store(out + i * n, top_left);
    }
  });
}

}  // namespace
}  // namespace vtb

// [batch, height, width, channels] to [batch, out_height, out_width, channels]; sizes up to 16384.
//
// Block: 256 threads. Grid: ceil(elements of out / vector_size / 256) blocks give every thread one vector.
#define VTB_BILINEAR(suffix, T)                                                                                  \
  extern "C" __global__ void __launch_bounds__(256)                                                              \
      vtb_bilinear_##suffix(const T* in, T* out, int32_t batch, int32_t height, int32_t width, int32_t channels, \
                            int32_t out_height, int32_t out_width) {                                             \
    vtb::bilinear(in, out, batch, height, width, channels, out_height, out_width);                               \
  }                                                                                                              \
  VTB_REGISTER_KERNEL(vtb_bilinear_##suffix, 256)
VTB_FOR_EACH_DTYPE(VTB_BILINEAR)
