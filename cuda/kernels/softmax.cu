// Softmax of each row.
#include "reductions.cuh"
#include "vectors.cuh"

namespace vtb {
namespace {

// Three sweeps over a row, of which only the first finds it in memory; the others find it in the cache.
template <typename T>
__device__ void softmax(const vtbc_softmax_args& args) {
  const T* const in = static_cast<const T*>(args.in);
  T* const out = static_cast<T*>(args.out);
  const int32_t rows = args.rows, channels = args.channels;
  by_width<T>(fits_vectors<T>(channels, in, out), [&](auto width) {
    constexpr int n = decltype(width)::value;
    const int32_t begin = threadIdx.x * n, step = blockDim.x * n;
    for (int32_t first = blockIdx.x * blockDim.y; first < rows; first += gridDim.x * blockDim.y) {
      const int32_t row = first + threadIdx.y, end = row < rows ? channels : 0;
      const T* from = in + row * channels;
      T* to = out + row * channels;
      float x[n];
      float largest = -INFINITY;
      for (int32_t c = begin; c < end; c += step) {
        load(x, from + c);
#pragma unroll
        for (int i = 0; i < n; ++i) largest = Maximum()(largest, x[i]);
      }
      largest = reduce_row(largest, Maximum());
      float sum = 0;
      for (int32_t c = begin; c < end; c += step) {
        load(x, from + c);
#pragma unroll
        for (int i = 0; i < n; ++i) sum += expf(x[i] - largest);
      }
      const float scale = 1 / reduce_row(sum, Sum());
      for (int32_t c = begin; c < end; c += step) {
        load(x, from + c);
#pragma unroll
        for (int i = 0; i < n; ++i) x[i] = expf(x[i] - largest) * scale;
        store(to + c, x);
      }
    }
  });
}

}  // namespace
}  // namespace vtb

VTB_KERNELS(vtb_softmax, vtbc_softmax_args, vtb::block_threads, 0, vtb::softmax<T>(args))

// Any block that reduce_row takes does; a warp a row is enough for up to a few thousand channels.
extern "C" int32_t vtbc_softmax_launch(vtbc_softmax_args* args, vtbc_dtype dtype, vtbc_launch* launches) {
  constexpr int rows = vtb::block_threads / 32;
  launches[0] = {vtb_softmax_names[dtype], vtb::divide_up(args->rows, rows), 32, rows, 0, 0};
  return 1;
}
