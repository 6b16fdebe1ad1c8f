// What follows a matrix product, in a pass of its own.
#include "epilogue.cuh"

namespace vtb {
namespace {

template <typename T>
__host__ __device__ __forceinline__ bool takes_vectors(const vtbc_epilogue_args& args) {
  return aligned_16(args.product) && finishes_vectors<T>(args.epilogue, args.channels);
}

template <typename T>
__device__ void finish_product(const vtbc_epilogue_args& args) {
  by_width<T>(takes_vectors<T>(args), [&](auto width) {
    constexpr int n = decltype(width)::value;
    const uint32_t row_vectors = args.channels / n, count = args.rows * row_vectors;
    for (uint32_t i = global_thread(); i < count; i += global_threads()) {
      float x[n];
      load(x, static_cast<const T*>(args.product) + i * n);
      finish<T>(args.epilogue, args.channels, x, static_cast<int32_t>(i / row_vectors),
                static_cast<int32_t>(i % row_vectors * n));
    }
  });
}

}  // namespace
}  // namespace vtb

VTB_KERNELS(vtb_epilogue, vtbc_epilogue_args, vtb::block_threads, 0, vtb::finish_product<T>(args))

extern "C" int32_t vtbc_epilogue_launch(vtbc_epilogue_args* args, vtbc_dtype dtype, vtbc_launch* launches) {
  const int64_t elements = int64_t{args->rows} * args->channels;
  const int64_t n = vtb::by_dtype(dtype, [&](auto of) {
    using T = decltype(of);
    return vtb::takes_vectors<T>(*args) ? vtb::vector_size<T> : 1;
  });
  launches[0] = vtb::launch_threads(vtb_epilogue_names[dtype], elements / n);
  return 1;
}
