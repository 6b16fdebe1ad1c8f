// Rows gathered through a map, then normalised.
#include "reductions.cuh"
#include "vectors.cuh"

namespace vtb {
namespace {

// Vectors that a thread keeps in registers between the mean, the variance and the result; what is beyond is read again,
// from the cache.
constexpr int kept_vectors = 2;

template <typename T>
__device__ void layer_norm(const vtbc_layer_norm_args& args) {
  const T* const in = static_cast<const T*>(args.in);
  T* const out = static_cast<T*>(args.out);
  const int32_t* const map = args.map;
  const float *const gamma = args.gamma, *const beta = args.beta;
  const int32_t rows = args.rows, channels = args.channels, groups = args.groups, segment = channels / groups;
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
      const float scale = rsqrtf(reduce_row(squares, Sum()) / channels + args.eps);
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

VTB_KERNELS(vtb_layer_norm, vtbc_layer_norm_args, vtb::block_threads, 0, vtb::layer_norm<T>(args))

// Any block that reduce_row takes does: here as many threads a row as keep it in registers, if there are so many.
extern "C" int32_t vtbc_layer_norm_launch(vtbc_layer_norm_args* args, vtbc_dtype dtype, vtbc_launch* launches) {
  const int64_t n =
      vtb::access_elements(dtype, args->channels / args->groups, args->in, args->gamma, args->beta, args->out);
  int32_t threads = 8;
  while (threads < vtb::block_threads && threads * vtb::kept_vectors * n < args->channels) threads *= 2;
  const int32_t rows = vtb::block_threads / threads;
  launches[0] = {vtb_layer_norm_names[dtype], vtb::divide_up(args->rows, rows), threads, rows, 0, 0};
  return 1;
}
