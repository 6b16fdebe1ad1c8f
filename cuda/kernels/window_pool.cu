// The maximum or mean of each window of a map.
#include "common.cuh"

namespace vtb {
namespace {

struct PoolAxis {
  int32_t begin, end;  // of the window, within the map
};

__device__ __forceinline__ PoolAxis pool_axis(int32_t i, int32_t length, int32_t size, int32_t stride,
                                              int32_t padding) {
  const int32_t begin = i * stride - padding;
  return {max(begin, 0), min(begin + size, length)};
}

template <typename T>
__device__ void window_pool(const T* in, T* out, int32_t batch, int32_t time, int32_t height, int32_t width,
                            int32_t channels, int32_t out_time, int32_t out_height, int32_t out_width,
                            int32_t size_time, int32_t size_height, int32_t size_width, int32_t stride_time,
                            int32_t stride_height, int32_t stride_width, int32_t padding_time, int32_t padding_height,
                            int32_t padding_width, int32_t average) {
  by_width<T>(fits_vectors<T>(channels, in, out), [&](auto vector_width) {
    constexpr int n = decltype(vector_width)::value;
    const uint32_t row_vectors = channels / n, count = batch * out_time * out_height * out_width * row_vectors;
    for (uint32_t i = global_thread(); i < count; i += global_threads()) {
      const uint32_t position = i / row_vectors, c = i % row_vectors * n;
      const PoolAxis columns = pool_axis(position % out_width, width, size_width, stride_width, padding_width);
      const PoolAxis rows =
          pool_axis(position / out_width % out_height, height, size_height, stride_height, padding_height);
      const uint32_t frame = position / out_width / out_height, image = frame / out_time;
      const PoolAxis times = pool_axis(frame % out_time, time, size_time, stride_time, padding_time);
      float result[n];
      fill(result, average ? 0 : -INFINITY);
      for (int32_t t = times.begin; t < times.end; ++t) {
        for (int32_t y = rows.begin; y < rows.end; ++y) {
          for (int32_t x = columns.begin; x < columns.end; ++x) {
            float value[n];
            load(value, in + (((image * time + t) * height + y) * width + x) * channels + c);
#pragma unroll
            for (int j = 0; j < n; ++j) result[j] = average ? result[j] + value[j] : Maximum()(result[j], value[j]);
          }
        }
      }
      if (average) {
        const int32_t taps = (times.end - times.begin) * (rows.end - rows.begin) * (columns.end - columns.begin);
#pragma unroll
        for (int j = 0; j < n; ++j) result[j] /= taps;
      }
      store(out + i * n, result);
    }
  });
}

}  // namespace
}  // namespace vtb

// [batch, time, height, width, channels] to [batch, out_time, out_height, out_width, channels]; padding is left out of
// both maximum and mean, and is less than the window's size along each axis. average is 0 or 1.
//
// Block: 256 threads. Grid: ceil(elements of out / vector_size / 256) blocks give every thread one vector.
#define VTB_WINDOW_POOL(suffix, T)                                                                                    \
  extern "C" __global__ void __launch_bounds__(256) vtb_window_pool_##suffix(                                         \
      const T* in, T* out, int32_t batch, int32_t time, int32_t height, int32_t width, int32_t channels,              \
      int32_t out_time, int32_t out_height, int32_t out_width, int32_t size_time, int32_t size_height,                \
      int32_t size_width, int32_t stride_time, int32_t stride_height, int32_t stride_width, int32_t padding_time,     \
      int32_t padding_height, int32_t padding_width, int32_t average) {                                               \
    vtb::window_pool(in, out, batch, time, height, width, channels, out_time, out_height, out_width, size_time,       \
                     size_height, size_width, stride_time, stride_height, stride_width, padding_time, padding_height, \
                     padding_width, average);                                                                         \
  }                                                                                                                   \
  VTB_REGISTER_KERNEL(vtb_window_pool_##suffix, 256)
VTB_FOR_EACH_DTYPE(VTB_WINDOW_POOL)
