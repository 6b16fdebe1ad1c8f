// Sums of rows.
#include "activations.cuh"

namespace vtb {
namespace {

// Adds row `row` of a term; nothing where there is no term, or its map says -1.
template <int n, typename T>
__device__ __forceinline__ void add_term(float (&x)[n], const T* in, const int32_t* map, int32_t row, int32_t channels,
                                         int32_t c) {
  if (!in) return;
  const int32_t from = map ? map[row] : row;
  if (from >= 0) add_from(x, in + from * channels + c);
}

template <typename T>
__device__ void sum(const vtbc_sum_args& args) {
  const T *const in0 = static_cast<const T*>(args.in0), *const in1 = static_cast<const T*>(args.in1);
  const T* const in2 = static_cast<const T*>(args.in2);
  T* const out = static_cast<T*>(args.out);
  const int32_t channels = args.channels;
  by_width<T>(fits_vectors<T>(channels, in0, in1, in2, out), [&](auto width) {
    constexpr int n = decltype(width)::value;
    const uint32_t row_vectors = channels / n, count = args.rows * row_vectors;
    for (uint32_t i = global_thread(); i < count; i += global_threads()) {
      const uint32_t row = i / row_vectors, c = i % row_vectors * n;
      float x[n];
      fill(x, 0);
      add_term(x, in0, args.map0, row, channels, c);
      add_term(x, in1, args.map1, row, channels, c);
      add_term(x, in2, args.map2, row, channels, c);
      activate(x, args.activation);
      store(out + i * n, x);
    }
  });
}

}  // namespace
}  // namespace vtb

VTB_KERNELS(vtb_sum, vtbc_sum_args, vtb::block_threads, 0, vtb::sum<T>(args))

extern "C" int32_t vtbc_sum_launch(vtbc_sum_args* args, vtbc_dtype dtype, vtbc_launch* launches) {
  const int64_t n = vtb::access_elements(dtype, args->channels, args->in0, args->in1, args->in2, args->out);
  launches[0] = vtb::launch_threads(vtb_sum_names[dtype], int64_t{args->rows} * args->channels / n);
  return 1;
}
