// The maximum or mean of each window of a map.
#include "reductions.cuh"
#include "vectors.cuh"

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
__device__ void window_pool(const vtbc_window_pool_args& args) {
  const T* const in = static_cast<const T*>(args.in);
  T* const out = static_cast<T*>(args.out);
  const int32_t time = args.time, height = args.height, width = args.width, channels = args.channels;
  const int32_t out_time = args.out_time, out_height = args.out_height, out_width = args.out_width;
  const bool average = args.average;
  by_width<T>(fits_vectors<T>(channels, in, out), [&](auto vector_width) {
    constexpr int n = decltype(vector_width)::value;
    const uint32_t row_vectors = channels / n, count = args.batch * out_time * out_height * out_width * row_vectors;
    for (uint32_t i = global_thread(); i < count; i += global_threads()) {
      const uint32_t position = i / row_vectors, c = i % row_vectors * n;
      const PoolAxis columns =
          pool_axis(position % out_width, width, args.size_width, args.stride_width, args.padding_width);
      const PoolAxis rows = pool_axis(position / out_width % out_height, height, args.size_height, args.stride_height,
                                      args.padding_height);
      const uint32_t frame = position / out_width / out_height, image = frame / out_time;
      const PoolAxis times = pool_axis(frame % out_time, time, args.size_time, args.stride_time, args.padding_time);
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

VTB_KERNELS(vtb_window_pool, vtbc_window_pool_args, vtb::block_threads, 0, vtb::window_pool<T>(args))

extern "C" int32_t vtbc_window_pool_launch(vtbc_window_pool_args* args, vtbc_dtype dtype, vtbc_launch* launches) {
  const int64_t positions = int64_t{args->batch} * args->out_time * args->out_height * args->out_width;
  const int64_t n = vtb::access_elements(dtype, args->channels, args->in, args->out);
  launches[0] = vtb::launch_threads(vtb_window_pool_names[dtype], positions * args->channels / n);
  return 1;
}
