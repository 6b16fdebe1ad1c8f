// Rows as io.vertebra.program.RowSource reads them: gathered through a map, then normalised.
#include "common.cuh"

namespace vtb {
namespace {

// Vectors that a thread keeps in registers between the mean, the variance and the result; what is beyond is read again,
// from the cache.
constexpr int kept_vectors = 2;

template <typename T>
__device__ void gather_norm(const T* in, const int32_t* map, int32_t groups, const float* gamma, const float* beta,
                            float eps, T* out, int32_t rows, int32_t channels) {
  const int32_t segment = channels / groups;
  by_width<T>(fits_vectors<T>(segment, in, gamma, beta, out), [&](auto width) {
    constexpr int n = decltype(width)::value;
    for (int32_t first = blockIdx.x * blockDim.y; first < rows; first += gridDim.x * blockDim.y) {
      const int32_t row = first + threadIdx.y, end = row < rows ? channels : 0;
      auto read = [&](float(&x)[n], int32_t c) {
        const int32_t group = groups == 1 ? 0 : c / segment;
        const int32_t source = map ? map[row * groups + group] : row;
        if (source < 0) {
          fill(x, 0);
        } else {
          load(x, in + source * segment + (c - group * segment));
        }
      };
      float kept[kept_vectors][n];
      // Calls body(vector, its first channel) for this thread's vectors of the row.
      auto for_each = [&](auto body) {
        int32_t c = threadIdx.x * n;
#pragma unroll
        for (int v = 0; v < kept_vectors; ++v, c += blockDim.x * n) {
          if (c < end) body(kept[v], c);
        }
        for (; c < end; c += blockDim.x * n) {
          float x[n];
          read(x, c);
          body(x, c);
        }
      };
#pragma unroll
      for (int v = 0; v < kept_vectors; ++v) {
        const int32_t c = (v * blockDim.x + threadIdx.x) * n;
        if (c < end) read(kept[v], c);
      }
      if (!gamma) {
        for_each([&](float(&x)[n], int32_t c) { store(out + row * channels + c, x); });
        continue;
      }
      float sum = 0;
      for_each([&](float(&x)[n], int32_t) {
#pragma unroll
        for (int i = 0; i < n; ++i) sum += x[i];
      });
      const float mean = reduce_row(sum, Sum()) / channels;
      float squares = 0;
      for_each([&](float(&x)[n], int32_t) {
#pragma unroll
        for (int i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
      });
      const float scale = rsqrtf(reduce_row(squares, Sum()) / channels + eps);
      const bool padding = groups == 1 && map && row < rows && map[row] < 0;
      for_each([&](float(&x)[n], int32_t c) {
#pragma unroll
        for (int i = 0; i < n; ++i) x[i] = (x[i] - mean) * scale;
        multiply_from(x, gamma + c);
        add_from(x, beta + c);
        if (padding) fill(x, 0);
        store(out + row * channels + c, x);
      });
    }
  });
}

}  // namespace
}  // namespace vtb

// out: [rows, channels]. Row i is the concatenation of `groups` segments of channels / groups elements, segment g from
// in + map[i * groups + g] * (channels / groups), zeros where the map says -1; without a map (null) row i of in, groups
// being 1. Then, unless gamma is null, LayerNorm (biased variance) with gamma and beta [channels]; a row whose groups
// is 1 and whose map says -1 stays zero. out may be in if there is no map.
//
// Block: as reduce_row asks, (threads a row, rows) of up to 256 threads: threads = the least power of two of at least
// channels / vector_size / 2, so that a thread has up to 2 vectors, but from 8 to 256; rows = 256 / threads. Grid:
// ceil(rows / block.y).
#define VTB_GATHER_NORM(suffix, T)                                                                                     \
  extern "C" __global__ void __launch_bounds__(256)                                                                    \
      vtb_gather_norm_##suffix(const T* in, const int32_t* map, int32_t groups, const float* gamma, const float* beta, \
                               float eps, T* out, int32_t rows, int32_t channels) {                                    \
    vtb::gather_norm(in, map, groups, gamma, beta, eps, out, rows, channels);                                          \
  }                                                                                                                    \
  VTB_REGISTER_KERNEL(vtb_gather_norm_##suffix, 256)
VTB_FOR_EACH_DTYPE(VTB_GATHER_NORM)
