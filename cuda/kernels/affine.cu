// Scale, shift and activation, channel by channel.
#include "activations.cuh"

namespace vtb {
namespace {

template <typename T>
__device__ void affine(const vtbc_affine_args& args) {
  const T *const in = static_cast<const T*>(args.in), *const factor = static_cast<const T*>(args.factor);
  T* const out = static_cast<T*>(args.out);
  const int32_t channels = args.channels;
  by_width<T>(fits_vectors<T>(channels, in, factor, args.scale, args.shift, out), [&](auto width) {
    constexpr int n = decltype(width)::value;
    const uint32_t vectors = channels / n, count = args.batch * args.positions * vectors;
    for (uint32_t i = global_thread(); i < count; i += global_threads()) {
      const uint32_t row = i / vectors, c = i % vectors * n;
      float x[n];
      load(x, in + i * n);
      if (factor) multiply_from(x, factor + row / args.positions * channels + c);
      if (args.scale) multiply_from(x, args.scale + c);
      if (args.shift) add_from(x, args.shift + c);
      activate(x, args.activation);
      store(out + i * n, x);
    }
  });
}

}  // namespace
}  // namespace vtb

VTB_KERNELS(vtb_affine, vtbc_affine_args, vtb::block_threads, 0, vtb::affine<T>(args))

extern "C" int32_t vtbc_affine_launch(vtbc_affine_args* args, vtbc_dtype dtype, vtbc_launch* launches) {
  const int64_t n =
      vtb::access_elements(dtype, args->channels, args->in, args->factor, args->scale, args->shift, args->out);
  const int64_t elements = int64_t{args->batch} * args->positions * args->channels;
  launches[0] = vtb::launch_threads(vtb_affine_names[dtype], elements / n);
  return 1;
}
