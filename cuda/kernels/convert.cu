// Between fp32 and the half types.
#include "common.cuh"

namespace vtb {
namespace {

template <typename From, typename To>
__device__ void convert(const From* in, To* out, int32_t count) {
  // Vectors of the narrower type: 8 elements.
  by_width<__half>(fits_vectors<__half>(count, in, out), [&](auto width) {
    constexpr int n = decltype(width)::value;
    for (uint32_t i = global_thread() * n; i < static_cast<uint32_t>(count); i += global_threads() * n) {
      float x[n];
      load(x, in + i);
      store(out + i, x);
    }
  });
}

}  // namespace
}  // namespace vtb

// out[i] = in[i], rounded to nearest even.
//
// Block: 256 threads. Grid: ceil(count / 8 / 256) blocks give every thread one vector.
#define VTB_CONVERT(suffix, From, To)                                                                              \
  extern "C" __global__ void __launch_bounds__(256) vtb_convert_##suffix(const From* in, To* out, int32_t count) { \
    vtb::convert(in, out, count);                                                                                  \
  }                                                                                                                \
  VTB_REGISTER_KERNEL(vtb_convert_##suffix, 256)
VTB_CONVERT(f32_f16, float, __half)
VTB_CONVERT(f32_bf16, float, __nv_bfloat16)
VTB_CONVERT(f16_f32, __half, float)
VTB_CONVERT(bf16_f32, __nv_bfloat16, float)
