// Attention inside windows of tokens; global attention is one window an image.
//
// A block of four warps computes 64 queries of a window and head, over tiles of keys (T. Dao, "FlashAttention-2",
// arXiv 2307.08691): shared memory is bounded for any number of tokens, and a row's softmax is corrected whenever a
// tile raises its maximum. A warp has 16 queries. With g = lane / 4 and t = lane % 4, a lane holds rows g and g + 8
// and columns 8 j + 2 t and the next of products: {(g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1)}, which is how
// mma.m16n8k16 leaves them; floats are multiplied without it, but held alike.
#include "reductions.cuh"
#include "tensor_cores.cuh"

namespace vtb {
namespace attention {

constexpr int threads = 128, queries = 64;

// Keys of a tile. Two tiles of keys and values stay below 40 KB.
template <typename T, int D>
constexpr int tile_keys = D * 64 * sizeof(T) > 8192 ? 8192 / (D * sizeof(T)) : 64;

// Elements from row to row of a tile: with 16 bytes between, eight rows touch all banks.
template <typename T, int D>
constexpr int pitch = D + vector_size<T>;

// The two rows of queries of a lane, null beyond the window.
template <typename T>
struct Queries {
  const T* rows[2];
  int32_t head_dim;
  bool vectors;

  // n elements from d; zeros beyond the head.
  template <int n>
  __device__ __forceinline__ void read(float (&x)[n], int row, int32_t d) const {
    fill(x, 0);
    if (!rows[row] || d >= head_dim) return;
    if (vectors) {
      load(x, rows[row] + d);
    } else {
#pragma unroll
      for (int i = 0; i < n; ++i) {
        if (d + i < head_dim) x[i] = to_float(rows[row][d + i]);
      }
    }
  }
};

// The two products, by tensor cores. Keys in groups of 16 from `count` on are left out.
template <typename T, int D>
struct Products {
  uint32_t q[D / 16][4];

  __device__ __forceinline__ explicit Products(const Queries<T>& from) {
#pragma unroll
    for (int i = 0; i < D / 16; ++i) {
#pragma unroll
      for (int part = 0; part < 4; ++part) {
        float x[2];
        from.read(x, part % 2, 16 * i + 8 * (part / 2) + threadIdx.x % 4 * 2);
        q[i][part] = pack<T>(x[0], x[1]);
      }
    }
  }

  // s += q k^T
  template <int n>
  __device__ __forceinline__ void scores(float (&s)[n][4], const T* keys, int count) const {
    const int lane = threadIdx.x % 32;
    const T* row = keys + (lane / 16 * 8 + lane % 8) * pitch<T, D> + lane / 8 % 2 * 8;
#pragma unroll
    for (int j = 0; j < n / 2; ++j) {
      if (16 * j >= count) break;
#pragma unroll
      for (int i = 0; i < D / 16; ++i) {
        uint32_t k[4];
        ldmatrix<false>(k, row + 16 * j * pitch<T, D> + 16 * i);
        mma_m16n8k16<T>(s[2 * j], q[i], {k[0], k[1]});
        mma_m16n8k16<T>(s[2 * j + 1], q[i], {k[2], k[3]});
      }
    }
  }

  // o += p v
  template <int n>
  __device__ __forceinline__ void accumulate(float (&o)[D / 8][4], const float (&p)[n][4], const T* values,
                                             int count) const {
    const int lane = threadIdx.x % 32;
    const T* row = values + lane % 16 * pitch<T, D> + lane / 16 * 8;
#pragma unroll
    for (int j = 0; j < n / 2; ++j) {
      if (16 * j >= count) break;
      const float(&a)[4] = p[2 * j], (&b)[4] = p[2 * j + 1];
      const uint32_t weights[4] = {pack<T>(a[0], a[1]), pack<T>(a[2], a[3]), pack<T>(b[0], b[1]), pack<T>(b[2], b[3])};
#pragma unroll
      for (int i = 0; i < D / 16; ++i) {
        uint32_t v[4];
        ldmatrix<true>(v, row + 16 * j * pitch<T, D> + 16 * i);
        mma_m16n8k16<T>(o[2 * i], weights, {v[0], v[1]});
        mma_m16n8k16<T>(o[2 * i + 1], weights, {v[2], v[3]});
      }
    }
  }
};

// The same by multiplications and additions.
template <int D>
struct Products<float, D> {
  Queries<float> q;

  __device__ __forceinline__ explicit Products(const Queries<float>& from) : q(from) {}

  template <int n>
  __device__ __forceinline__ void scores(float (&s)[n][4], const float* keys, int) const {
    keys += threadIdx.x % 4 * 2 * pitch<float, D>;
#pragma unroll 1
    for (int32_t d = 0; d < q.head_dim; d += 4) {
      float x[2][4], k[4];
      q.read(x[0], 0, d);
      q.read(x[1], 1, d);
#pragma unroll
      for (int j = 0; j < n; ++j) {
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          load(k, keys + (8 * j + e) * pitch<float, D> + d);
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            s[j][e] += x[0][i] * k[i];
            s[j][2 + e] += x[1][i] * k[i];
          }
        }
      }
    }
  }

  template <int n>
  __device__ __forceinline__ void accumulate(float (&o)[D / 8][4], const float (&p)[n][4], const float* values,
                                             int count) const {
    const int lane = threadIdx.x % 32;
    values += lane % 4 * 2;
#pragma unroll
    for (int key = 0; key < 8 * n; ++key) {
      if (key >= count) break;
      const int from = lane / 4 * 4 + key % 8 / 2;
      const float a = __shfl_sync(0xffffffff, p[key / 8][key % 2], from);
      const float b = __shfl_sync(0xffffffff, p[key / 8][2 + key % 2], from);
#pragma unroll
      for (int i = 0; i < D / 8; ++i) {
        float v[2];
        load(v, values + key * pitch<float, D> + 8 * i);
        o[i][0] += a * v[0];
        o[i][1] += a * v[1];
        o[i][2] += b * v[0];
        o[i][3] += b * v[1];
      }
    }
  }
};

// 2^x with an error of 2 units in the last place; 0 below the smallest normal number.
__device__ __forceinline__ float exp2_approximate(float x) {
#ifdef __CUDACC__
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return exp2f(x);
#endif
}

// Combines the values of the four lanes that share rows.
template <typename Combine>
__device__ __forceinline__ float reduce_quad(float value, Combine combine) {
  value = combine(value, __shfl_xor_sync(0xffffffff, value, 1));
  return combine(value, __shfl_xor_sync(0xffffffff, value, 2));
}

// The softmax of two rows, so far: the maxima, and this lane's part of the sums of exp(score - maximum).
struct Softmax {
  float maximum[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0};

  // Turns scores into their exponentials, and scales what was computed from earlier ones. NaN is no maximum, but
  // stays in the sums.
  template <int n, int m>
  __device__ __forceinline__ void add(float (&s)[n][4], float (&o)[m][4], int count) {
    constexpr float log2e = 1.44269504f;
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      float top = maximum[row];
#pragma unroll
      for (int j = 0; j < n; ++j) top = fmaxf(top, fmaxf(s[j][2 * row], s[j][2 * row + 1]));
      top = reduce_quad(top, [](float a, float b) { return fmaxf(a, b); });
      const float exponent = top * log2e, correction = exp2_approximate(maximum[row] * log2e - exponent);
      maximum[row] = top;
      sum[row] *= correction;
#pragma unroll
      for (int j = 0; j < n; ++j) {
        if (8 * j < count) {
#pragma unroll
          for (int e = 2 * row; e < 2 * row + 2; ++e) {
            s[j][e] = exp2_approximate(fmaf(s[j][e], log2e, -exponent));
            sum[row] += s[j][e];
          }
        } else {
          s[j][2 * row] = s[j][2 * row + 1] = 0;
        }
      }
#pragma unroll
      for (int i = 0; i < m; ++i) {
        o[i][2 * row] *= correction;
        o[i][2 * row + 1] *= correction;
      }
    }
  }
};

template <typename T, int D>
__device__ void window_attention(const vtbc_window_attention_args& args) {
  const T* const qkv = static_cast<const T*>(args.qkv);
  T* const out = static_cast<T*>(args.out);
  const float* const bias = args.bias;
  const int32_t tokens = args.tokens, heads = args.heads, head_dim = args.head_dim;
  const int32_t bias_columns = args.bias_columns;
  constexpr int keys = tile_keys<T, D>, n = vector_size<T>, row_vectors = D / n;
  VTB_SHARED(T, tiles, 2 * 2 * keys * (pitch<T, D>));  // two stages of keys and values
  VTB_SHARED(int32_t, tile_codes, 2 * keys);
  VTB_SHARED(int32_t, tile_regions, 2 * keys);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int32_t channels = heads * head_dim, query_tiles = (tokens + queries - 1) / queries;
  const bool vectors = fits_vectors<T>(head_dim, qkv, out);
  // The bias of a query and key is at their codes' sum.
  auto code = [=](int32_t token) {
    return bias_columns ? token / bias_columns * (2 * bias_columns - 1) + token % bias_columns : token;
  };
  const int32_t head_bias = !bias ? 0 : bias_columns ? 2 * code(tokens - 1) + 1 : tokens * tokens;

  for (int32_t unit = blockIdx.x; unit < args.windows * heads * query_tiles; unit += gridDim.x) {
    const int32_t head = unit / query_tiles % heads, window = unit / query_tiles / heads;
    const T* const q = qkv + window * tokens * 3 * channels + head * head_dim;
    const int32_t* const labels = args.regions ? args.regions + window % args.windows_per_image * tokens : nullptr;

    auto fetch = [&](int32_t first, int stage) {
      T* const to = tiles + stage * 2 * keys * pitch<T, D>;
      for (int i = threadIdx.x; i < 2 * keys * row_vectors; i += threads) {
        const int row = i / row_vectors, which = row / keys;  // all keys, then all values
        const int32_t key = first + row % keys, d = i % row_vectors * n;
        const T* from = q + key * 3 * channels + (1 + which) * channels + d;
        T* const place = to + row * pitch<T, D> + d;
        if (vectors) {
          copy_async_16(place, from, key < tokens && d < head_dim);
        } else {
          for (int e = 0; e < n; ++e) place[e] = key < tokens && d + e < head_dim ? from[e] : from_float<T>(0);
        }
      }
      commit_copies();
      if (threadIdx.x < keys) {
        const int32_t key = min(first + static_cast<int32_t>(threadIdx.x), tokens - 1);
        if (bias) tile_codes[stage * keys + threadIdx.x] = code(key);
        if (labels) tile_regions[stage * keys + threadIdx.x] = labels[key];
      }
    };

    fetch(0, 0);
    const int32_t first_query = unit % query_tiles * queries + warp * 16;
    const bool active = first_query < tokens;
    Queries<T> own = {{nullptr, nullptr}, head_dim, vectors};
    int32_t own_codes[2] = {}, own_regions[2] = {};
    for (int row = 0; row < 2; ++row) {
      const int32_t query = first_query + lane / 4 + 8 * row;
      if (query < tokens) own.rows[row] = q + query * 3 * channels;
      const int32_t real = min(query, tokens - 1);
      if (bias) own_codes[row] = head * head_bias + (bias_columns ? code(tokens - 1) - code(real) : real * tokens);
      if (labels) own_regions[row] = labels[real];
    }
    const Products<T, D> products(own);
    Softmax softmax;
    float o[D / 8][4] = {};
    int stage = 0;
    for (int32_t first = 0; first < tokens; first += keys, stage ^= 1) {
      wait_copies<0>();
      __syncthreads();
      if (first + keys < tokens) fetch(first + keys, stage ^ 1);
      if (!active) continue;
      const T* const tile = tiles + stage * 2 * keys * pitch<T, D>;
      const int count = min(tokens - first, static_cast<int32_t>(keys));
      float s[keys / 8][4] = {};
      products.scores(s, tile, count);
#pragma unroll
      for (int j = 0; j < keys / 8; ++j) {
        const int at = stage * keys + 8 * j + lane % 4 * 2;
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          s[j][e] *= args.scale;
          if (bias && 8 * j < count) s[j][e] += bias[own_codes[e / 2] + tile_codes[at + e % 2]];
          if (labels && tile_regions[at + e % 2] != own_regions[e / 2]) s[j][e] -= 100;
          if (8 * j + lane % 4 * 2 + e % 2 >= count) s[j][e] = -INFINITY;
        }
      }
      softmax.add(s, o, count);
      products.accumulate(o, s, tile + keys * pitch<T, D>, count);
    }
    __syncthreads();

#pragma unroll
    for (int row = 0; row < 2 && active; ++row) {
      const int32_t query = first_query + lane / 4 + 8 * row;
      const float factor = 1 / reduce_quad(softmax.sum[row], Sum());
      if (query >= tokens) continue;
      T* const to = out + (window * tokens + query) * channels + head * head_dim;
#pragma unroll
      for (int i = 0; i < D / 8; ++i) {
        const int32_t d = 8 * i + lane % 4 * 2;
        float x[2] = {o[i][2 * row] * factor, o[i][2 * row + 1] * factor};
        if (vectors) {
          if (d >= head_dim) continue;
          store(to + d, x);
        } else {
          for (int e = 0; e < 2; ++e) {
            if (d + e < head_dim) to[d + e] = from_float<T>(x[e]);
          }
        }
      }
    }
  }
}

}  // namespace attention
}  // namespace vtb

// The number at the end is the widest head; the narrowest that does is the fastest.
#define VTB_WINDOW_ATTENTION(D)                                                              \
  VTB_KERNELS(vtb_window_attention_##D, vtbc_window_attention_args, vtb::attention::threads, \
              sizeof(T) == 2 && D == 32 ? 4 : 2, vtb::attention::window_attention<T, D>(args))
VTB_WINDOW_ATTENTION(32)
VTB_WINDOW_ATTENTION(64)
VTB_WINDOW_ATTENTION(128)
static_assert(VTBC_MOST_HEAD_DIM == 128, "there is a kernel for the widest head");

extern "C" int32_t vtbc_window_attention_launch(vtbc_window_attention_args* args, vtbc_dtype dtype,
                                                vtbc_launch* launches) {
  const char* const kernel = args->head_dim <= 32   ? vtb_window_attention_32_names[dtype]
                             : args->head_dim <= 64 ? vtb_window_attention_64_names[dtype]
                                                    : vtb_window_attention_128_names[dtype];
  const int64_t units = int64_t{args->windows} * args->heads * vtb::divide_up(args->tokens, vtb::attention::queries);
  launches[0] = {kernel, units, vtb::attention::threads, 1, 0, 0};
  return 1;
}
