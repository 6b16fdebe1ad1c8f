// Between fp32 and the half types.
#include "vectors.cuh"

namespace vtb {
namespace {

template <typename From, typename To>
__device__ void convert(const vtbc_convert_args& args) {
  const From* const in = static_cast<const From*>(args.in);
  To* const out = static_cast<To*>(args.out);
  const uint32_t count = args.count;
  // Vectors of the narrower type: 8 elements.
  by_width<__half>(fits_vectors<__half>(count, in, out), [&](auto width) {
    constexpr int n = decltype(width)::value;
    for (uint32_t i = global_thread() * n; i < count; i += global_threads() * n) {
      float x[n];
      load(x, in + i);
      store(out + i, x);
    }
  });
}

}  // namespace
}  // namespace vtb

#define VTB_CONVERT(name, ...) \
  VTB_KERNEL(name, float, vtbc_convert_args, vtb::block_threads, 0, vtb::convert<__VA_ARGS__>(args))
VTB_CONVERT(vtb_convert_f32_f16, T, __half)
VTB_CONVERT(vtb_convert_f32_bf16, T, __nv_bfloat16)
VTB_CONVERT(vtb_convert_f16_f32, __half, T)
VTB_CONVERT(vtb_convert_bf16_f32, __nv_bfloat16, T)

extern "C" int32_t vtbc_convert_launch(vtbc_convert_args* args, vtbc_dtype dtype, vtbc_launch* launches) {
  const char* const kernel = dtype == VTBC_F16 ? args->to_f32 ? "vtb_convert_f16_f32" : "vtb_convert_f32_f16"
                             : args->to_f32    ? "vtb_convert_bf16_f32"
                                               : "vtb_convert_f32_bf16";
  const int64_t n = vtb::access_elements(VTBC_F16, args->count, args->in, args->out);
  launches[0] = vtb::launch_threads(kernel, args->count / n);
  return 1;
}
