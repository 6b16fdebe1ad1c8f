// Scale, shift and activation, channel by channel.
#include "common.cuh"

namespace vtb {
namespace {

template <typename T>
__device__ void affine(const T* in, const T* factor, const float* scale, const float* shift, T* out, int32_t batch,
                       int32_t positions, int32_t channels, int32_t activation) {
  by_width<T>(fits_vectors<T>(channels, in, factor, scale, shift, out), [&](auto width) {
    constexpr int n = decltype(width)::value;
    const uint32_t vectors = channels / n, count = batch * positions * vectors;
    for (uint32_t i = global_thread(); i < count; i += global_threads()) {
      const uint32_t row = i / vectors, c = i % vectors * n;
      float x[n];
      load(x, in + i * n);
      if (factor) multiply_from(x, factor + row / positions * channels + c);
      if (scale) multiply_from(x, scale + c);
      if (shift) add_from(x, shift + c);
      activate(x, activation);
      store(out + i * n, x);
    }
  });
}

}  // namespace
}  // namespace vtb

// out[b, p, c] = activation(in[b, p, c] * factor[b, c] * scale[c] + shift[c]). factor, scale and shift may each be
// null; out may be in.
//
// Block: 256 threads. Grid: ceil(elements / vector_size / 256) blocks give every thread one vector.
#define VTB_AFFINE(suffix, T)                                                                                          \
  extern "C" __global__ void __launch_bounds__(256)                                                                    \
      vtb_affine_##suffix(const T* in, const T* factor, const float* scale, const float* shift, T* out, int32_t batch, \
                          int32_t positions, int32_t channels, int32_t activation) {                                   \
    vtb::affine(in, factor, scale, shift, out, batch, positions, channels, activation);                                \
  }                                                                                                                    \
  VTB_REGISTER_KERNEL(vtb_affine_##suffix, 256)
VTB_FOR_EACH_DTYPE(VTB_AFFINE)
