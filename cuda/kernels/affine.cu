// Scale, shift and activation, channel by channel.
#include "common.cuh"

namespace vtb {
namespace {

template <typename T, int n>
__device__ void affine(const T* in, const T* factor, const float* scale, const float* shift, T* out, int32_t batch, int32_t positions,
    int32_t channels, int32_t activation) {
  const uint32_t vectors = channels / n, per_element = vectors * positions;
  const int64_t count = static_cast<int64_t>(batch) * per_element;
  for (int64_t i = global_thread(); i < count; i += global_threads()) {
    const int32_t element = static_cast<int32_t>(i / per_element);
    const int32_t c = static_cast<uint32_t>(i - static_cast<int64_t>(element) * per_element) % vectors * n;
    float x[n], y[n];
    load(x, in + i * n);
    if (factor) {
      load(y, factor + static_cast<int64_t>(element) * channels + c);
#pragma unroll
      for (int j = 0; j < n; ++j) x[j] *= y[j];
    }
    if (scale) {
      load(y, scale + c);
#pragma unroll
      for (int j = 0; j < n; ++j) x[j] *= y[j];
    }
    if (shift) {
      load(y, shift + c);
#pragma unroll
      for (int j = 0; j < n; ++j) x[j] += y[j];
    }
    activate(x, activation);
    store(out + i * n, x);
  }
}

template <typename T>
__device__ void affine(const T* in, const T* factor, const float* scale, const float* shift, T* out, int32_t batch, int32_t positions,
    int32_t channels, int32_t activation) {
  if (channels % vector_size<T> == 0 && aligned_16(in, factor, scale, shift, out)) {
    affine<T, vector_size<T>>(in, factor, scale, shift, out, batch, positions, channels, activation);
  } else {
    affine<T, 1>(in, factor, scale, shift, out, batch, positions, channels, activation);
  }
}

}  // namespace
}  // namespace vtb

// out[b, p, c] = activation(in[b, p, c] * factor[b, c] * scale[c] + shift[c]); factor, scale and shift may each be null; out may be in.
// positions * channels < 2^32. Block: 256 threads. Grid: ceil(elements / 2048) blocks keep every thread at one vector of halves; any is right.
#define VTB_AFFINE(suffix, T)                                                                                         \
  extern "C" __global__ void __launch_bounds__(256)                                                                   \
      vtb_affine_##suffix(const T* in, const T* factor, const float* scale, const float* shift, T* out, int32_t batch, \
          int32_t positions, int32_t channels, int32_t activation) {                                                  \
    vtb::affine(in, factor, scale, shift, out, batch, positions, channels, activation);                               \
  }                                                                                                                   \
  VTB_REGISTER_KERNEL(vtb_affine_##suffix, 256)
VTB_FOR_EACH_DTYPE(VTB_AFFINE)
