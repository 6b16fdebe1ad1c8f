// Bilinear resizing of maps.
#include "vectors.cuh"

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
__device__ void bilinear(const vtbc_resize_args& args) {
  const T* const in = static_cast<const T*>(args.in);
  T* const out = static_cast<T*>(args.out);
  const int32_t height = args.height, width = args.width, channels = args.channels;
  const int32_t out_height = args.out_height, out_width = args.out_width;
  by_width<T>(fits_vectors<T>(channels, in, out), [&](auto vector_width) {
    constexpr int n = decltype(vector_width)::value;
    const uint32_t row_vectors = channels / n, count = args.batch * out_height * out_width * row_vectors;
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

VTB_KERNELS(vtb_bilinear, vtbc_resize_args, vtb::block_threads, 0, vtb::bilinear<T>(args))

extern "C" int32_t vtbc_bilinear_launch(vtbc_resize_args* args, vtbc_dtype dtype, vtbc_launch* launches) {
  const int64_t elements = int64_t{args->batch} * args->out_height * args->out_width * args->channels;
  launches[0] = vtb::launch_threads(vtb_bilinear_names[dtype],
                                    elements / vtb::access_elements(dtype, args->channels, args->in, args->out));
  return 1;
}
