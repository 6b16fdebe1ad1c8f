// Sums of rows.
#include "common.cuh"

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
__device__ void sum(const T* in0, const T* in1, const T* in2, const int32_t* map0, const int32_t* map1,
                    const int32_t* map2, T* out, int32_t rows, int32_t channels, int32_t activation) {
  by_width<T>(fits_vectors<T>(channels, in0, in1, in2, out), [&](auto width) {
    constexpr int n = decltype(width)::value;
    const uint32_t row_vectors = channels / n, count = rows * row_vectors;
    for (uint32_t i = global_thread(); i < count; i += global_threads()) {
      const uint32_t row = i / row_vectors, c = i % row_vectors * n;
      float x[n];
      fill(x, 0);
      add_term(x, in0, map0, row, channels, c);
      add_term(x, in1, map1, row, channels, c);
      add_term(x, in2, map2, row, channels, c);
      activate(x, activation);
      store(out + i * n, x);
    }
  });
}

}  // namespace
}  // namespace vtb

// out[i] = activation(sum over the terms t of in<t>[map<t>[i]]), rows of `channels` elements; a term without a map
// (null) gives its row i, -1 in a map nothing. in1 and in2 may be null. out overlaps no term that has a map.
//
// Block: 256 threads. Grid: ceil(elements / vector_size / 256) blocks give every thread one vector.
#define VTB_SUM(suffix, T)                                                                                 \
  extern "C" __global__ void __launch_bounds__(256)                                                        \
      vtb_sum_##suffix(const T* in0, const T* in1, const T* in2, const int32_t* map0, const int32_t* map1, \
                       const int32_t* map2, T* out, int32_t rows, int32_t channels, int32_t activation) {  \
    vtb::sum(in0, in1, in2, map0, map1, map2, out, rows, channels, activation);                            \
  }                                                                                                        \
  VTB_REGISTER_KERNEL(vtb_sum_##suffix, 256)
VTB_FOR_EACH_DTYPE(VTB_SUM)
