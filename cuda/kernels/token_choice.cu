// Operations on chosen tokens; see "chosen tokens" in vertebra_cuda.h. Each finds its choice anew from the
// scores, in every block: no tensor has to hold indices.
#include "reductions.cuh"
#include "vectors.cuh"

namespace vtb::token_choice {
namespace {

__host__ __device__ __forceinline__ int32_t shrunken(int32_t tokens, int32_t kept) {
  return kept + (kept < tokens ? 2 : 1);
}

// An unsigned integer, of as many bits, in the order of the scores: choices are of exactly `kept` tokens, whatever the
// scores are.
template <typename T>
__device__ __forceinline__ uint32_t order_of(T score) {
  constexpr uint32_t sign = 1u << (8 * sizeof(T) - 1);
  uint32_t bits = 0;
  memcpy(&bits, &score, sizeof(T));
  return bits & sign ? ~bits & (sign | (sign - 1)) : bits | sign;
}

struct Threshold {
  uint32_t order;  // of the kept-th highest score
  int32_t ties;    // how many of the scores equal to it are kept
};

// Finds the kept-th highest score, 1 <= kept <= tokens, 8 bits at a time from the highest: counts the scores for every
// value of the next bits that share those found. All threads of the block call it.
template <typename T>
__device__ __forceinline__ Threshold find_threshold(const T* scores, int32_t tokens, int32_t kept) {
  VTB_SHARED(int32_t, counts, 256);
  VTB_SHARED(int32_t, found, 2);
  const int32_t thread = threadIdx.y * blockDim.x + threadIdx.x, threads = blockDim.x * blockDim.y;
  Threshold threshold = {0, kept};
  for (int shift = 8 * sizeof(T) - 8; shift >= 0; shift -= 8) {
    for (int32_t i = thread; i < 256; i += threads) counts[i] = 0;
    __syncthreads();
    for (int32_t i = thread; i < tokens; i += threads) {
      const uint32_t order = order_of(scores[i]);
      if (order >> shift >> 8 == threshold.order) atomicAdd(counts + (order >> shift & 255), 1);
    }
    __syncthreads();
    if (thread < 32) {
      // Each lane has eight values, lane 0 the highest.
      int32_t own = 0;
      for (int i = 0; i < 8; ++i) own += counts[255 - 8 * thread - i];
      int32_t above = own;
      for (int distance = 1; distance < 32; distance *= 2) {
        const int32_t other = __shfl_up_sync(0xffffffff, above, distance);
        if (thread >= distance) above += other;
      }
      above -= own;
      for (int32_t value = 255 - 8 * thread, i = 0; i < 8; ++i, --value) {
        if (above < threshold.ties && above + counts[value] >= threshold.ties) {
          found[0] = value;
          found[1] = threshold.ties - above;
        }
        above += counts[value];
      }
    }
    __syncthreads();
    threshold = {threshold.order << 8 | found[0], found[1]};
  }
  return threshold;
}

// rows[i] becomes the row of token i of an image among the shrunken ones, or -1 if it is left out; returns the sum of
// the scores left out. `scores` may be null if all are kept. All threads of the block call it; it ends with a barrier.
template <typename T>
__device__ __forceinline__ float find_rows(const T* scores, int64_t image, int32_t tokens, int32_t kept,
                                           int32_t* rows) {
  VTB_SHARED(float, left_out, 1);
  const int32_t thread = threadIdx.y * blockDim.x + threadIdx.x, threads = blockDim.x * blockDim.y;
  if (kept == tokens) {
    for (int32_t i = thread; i < tokens; i += threads) rows[i] = i + 1;
    __syncthreads();
    return 0;
  }
  scores += image * tokens;
  const Threshold threshold = kept > 0 ? find_threshold(scores, tokens, kept) : Threshold{0xffffffff, 0};
  if (thread < 32) {
    const uint32_t before = (1u << thread) - 1;
    int32_t row = 1, ties = threshold.ties;
    float sum = 0;
    for (int32_t first = 0; first < tokens; first += 32) {
      const int32_t i = first + thread;
      const bool inside = i < tokens;
      const uint32_t order = inside ? order_of(scores[i]) : 0;
      const uint32_t equal = __ballot_sync(0xffffffff, inside && order == threshold.order);
      const bool tie = equal >> thread & 1;
      const bool keep = inside && (tie ? __popc(equal & before) < ties : order > threshold.order);
      const uint32_t kept_lanes = __ballot_sync(0xffffffff, keep);
      if (inside) rows[i] = keep ? row + __popc(kept_lanes & before) : -1;
      if (inside && !keep) sum += to_float(scores[i]);
      row += __popc(kept_lanes);
      ties -= __popc(equal & kept_lanes);
    }
    for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(0xffffffff, sum, distance);
    if (thread == 0) *left_out = sum;
  }
  __syncthreads();
  return *left_out;
}

// Vectors of channels, or tokens, of an image that a block takes.
constexpr int slice = 32;

// A block takes a slice of the channels of an image; threads of one threadIdx.y copy their share of the tokens, and add
// up theirs of the representative.
template <typename T, int n>
__device__ __forceinline__ void shrink(const vtbc_shrink_tokens_args& args) {
  const T *const in = static_cast<const T*>(args.in), *const scores = static_cast<const T*>(args.scores);
  const T* const class_token = static_cast<const T*>(args.class_token);
  T* const out = static_cast<T*>(args.out);
  const int32_t tokens = args.tokens, channels = args.channels, kept = args.kept;
  VTB_DYNAMIC_SHARED(int32_t, rows);
  VTB_SHARED(float, partial, block_threads* n);
  const int32_t slices = (channels / n + slice - 1) / slice, height = shrunken(tokens, kept);
  for (int64_t task = blockIdx.x; task < static_cast<int64_t>(args.batch) * slices; task += gridDim.x) {
    const int64_t image = task / slices;
    const int32_t c = (static_cast<int32_t>(task % slices) * slice + threadIdx.x) * n;
    __syncthreads();  // rows and partial sums before have been read
    const float total = find_rows(scores, image, tokens, kept, rows);
    const T* from = in + image * tokens * channels + c;
    T* to = out + image * height * channels + c;
    float x[n], sum[n];
    fill(sum, 0.0f);
    if (c < channels) {
      for (int32_t i = threadIdx.y; i < tokens; i += blockDim.y) {
        load(x, from + static_cast<int64_t>(i) * channels);
        if (rows[i] > 0) {
          store(to + static_cast<int64_t>(rows[i]) * channels, x);
          continue;
        }
        const float weight = to_float(scores[image * tokens + i]) / total;
#pragma unroll
        for (int j = 0; j < n; ++j) sum[j] += weight * x[j];
      }
      if (threadIdx.y == 0) {
        load(x, class_token + image * args.class_stride + c);
        store(to, x);
      }
    }
    if (kept == tokens) continue;
#pragma unroll
    for (int j = 0; j < n; ++j) partial[(j * blockDim.y + threadIdx.y) * slice + threadIdx.x] = sum[j];
    __syncthreads();
    if (threadIdx.y > 0 || c >= channels) continue;
#pragma unroll
    for (int j = 0; j < n; ++j) {
      sum[j] = 0;
      for (uint32_t y = 0; y < blockDim.y; ++y) sum[j] += partial[(j * blockDim.y + y) * slice + threadIdx.x];
    }
    store(to + static_cast<int64_t>(kept + 1) * channels, sum);
  }
}

template <typename T>
__host__ __device__ __forceinline__ bool takes_vectors(const vtbc_shrink_tokens_args& args) {
  return fits_vectors<T>(args.channels, args.in, args.class_token, args.out) && args.class_stride % vector_size<T> == 0;
}

// A block takes a slice of the tokens of an image.
template <typename T, int n>
__device__ __forceinline__ void recover(const vtbc_recover_tokens_args& args) {
  const T *const in = static_cast<const T*>(args.in), *const scores = static_cast<const T*>(args.scores);
  const T *const before = static_cast<const T*>(args.before), *const after = static_cast<const T*>(args.after);
  T* const out = static_cast<T*>(args.out);
  const int32_t tokens = args.tokens, channels = args.channels, kept = args.kept;
  VTB_DYNAMIC_SHARED(int32_t, rows);
  const int32_t slices = (tokens + slice - 1) / slice, height = shrunken(tokens, kept), vectors = channels / n;
  for (int64_t task = blockIdx.x; task < static_cast<int64_t>(args.batch) * slices; task += gridDim.x) {
    const int64_t image = task / slices;
    const int32_t first = static_cast<int32_t>(task % slices) * slice, count = min(slice, tokens - first);
    __syncthreads();  // rows before have been read
    find_rows(scores, image, tokens, kept, rows);
    const int64_t at = (image * tokens + first) * channels, image_rows = image * height;
    for (int32_t i = threadIdx.x; i < count * vectors; i += blockDim.x) {
      const int32_t token = i / vectors, c = (i - token * vectors) * n, row = rows[first + token];
      float x[n];
      if (row > 0) {
        load(x, after + (image_rows + row) * channels + c);
      } else {
        const int64_t representative = (image_rows + kept + 1) * channels + c;
        float a[n], b[n];
        load(x, in + at + static_cast<int64_t>(i) * n);
        load(a, after + representative);
        load(b, before + representative);
#pragma unroll
        for (int j = 0; j < n; ++j) x[j] += a[j] - b[j];
      }
      store(out + at + static_cast<int64_t>(i) * n, x);
    }
  }
}

template <typename T, int n>
__device__ __forceinline__ float dot(const T* a, const T* b, int32_t length) {
  float sum = 0;
  for (int32_t i = 0; i < length; i += n) {
    float x[n], y[n];
    load(x, a + i);
    load(y, b + i);
#pragma unroll
    for (int j = 0; j < n; ++j) sum += x[j] * y[j];
  }
  return sum;
}

// A block takes an image; weights[head, j], in shared memory, is what the class token pays to row j.
template <typename T, int n>
__device__ __forceinline__ void score(const vtbc_score_tokens_args& args) {
  const T *const qkv = static_cast<const T*>(args.qkv), *const scores = static_cast<const T*>(args.scores);
  T* const out = static_cast<T*>(args.out);
  const int32_t tokens = args.tokens, kept = args.kept, heads = args.heads, head_dim = args.head_dim;
  VTB_DYNAMIC_SHARED(int32_t, rows);
  float* const weights = reinterpret_cast<float*>(rows + tokens);
  const int32_t height = shrunken(tokens, kept), width = heads * head_dim;
  for (int64_t image = blockIdx.x; image < args.batch; image += gridDim.x) {
    const T* query = qkv + image * height * 3 * width;
    __syncthreads();  // rows and weights before have been read
    find_rows(scores, image, tokens, kept, rows);
    for (int32_t head = 0; head < heads; ++head) {
      const T* q = query + head * head_dim;
      float* const weight = weights + static_cast<int64_t>(head) * height;
      float largest = -INFINITY, sum = 0;
      for (int32_t j = threadIdx.x; j < height; j += blockDim.x) {
        weight[j] = args.scale * dot<T, n>(q, q + width + static_cast<int64_t>(j) * 3 * width, head_dim);
        largest = Maximum()(largest, weight[j]);
      }
      largest = reduce_row(largest, Maximum());
      for (int32_t j = threadIdx.x; j < height; j += blockDim.x) {
        weight[j] = expf(weight[j] - largest);
        sum += weight[j];
      }
      const float factor = 1 / (reduce_row(sum, Sum()) * static_cast<float>(heads));
      for (int32_t j = threadIdx.x; j < height; j += blockDim.x) weight[j] *= factor;
    }
    __syncthreads();
    for (int32_t i = threadIdx.x; i < tokens; i += blockDim.x) {
      const int32_t row = rows[i];
      float paid = 0;
      for (int32_t head = 0; head < heads; ++head) {
        paid += weights[static_cast<int64_t>(head) * height + (row > 0 ? row : kept + 1)];
      }
      if (scores) {
        const float own = to_float(scores[image * tokens + i]);
        paid = row > 0 || kept + 1 == tokens ? (1 - args.trade_off) * own + args.trade_off * paid : own;
      }
      out[image * tokens + i] = from_float<T>(paid);
    }
  }
}

template <typename T>
__device__ void pool_scores(const vtbc_pool_scores_args& args) {
  const T* const in = static_cast<const T*>(args.in);
  T* const out = static_cast<T*>(args.out);
  const int32_t time = args.time, height = args.height, width = args.width;
  const int32_t out_height = height / 2, out_width = width / 2;
  const int32_t in_count = time * height * width, out_count = time * out_height * out_width;
  for (int64_t element = blockIdx.x; element < args.batch; element += gridDim.x) {
    const T* from = in + element * in_count;
    const auto pooled = [&](int32_t i) {
      const int32_t row = i / out_width, x = 2 * (i - row * out_width);
      const T* upper = from + (row / out_height * height + row % out_height * 2) * width + x;
      const T* lower = upper + width;
      return 0.25f * (to_float(upper[0]) + to_float(upper[1]) + to_float(lower[0]) + to_float(lower[1]));
    };
    float sum = 0, pooled_sum = 0;
    for (int32_t i = threadIdx.x; i < in_count; i += blockDim.x) sum += to_float(from[i]);
    for (int32_t i = threadIdx.x; i < out_count; i += blockDim.x) pooled_sum += pooled(i);
    const float factor = reduce_row(sum, Sum()) / reduce_row(pooled_sum, Sum());
    for (int32_t i = threadIdx.x; i < out_count; i += blockDim.x) {
      out[element * out_count + i] = from_float<T>(pooled(i) * factor);
    }
  }
}

}  // namespace
}  // namespace vtb::token_choice

VTB_KERNELS(vtb_shrink_tokens, vtbc_shrink_tokens_args, vtb::block_threads, 0,
            vtb::by_width<T>(vtb::token_choice::takes_vectors<T>(args),
                             [&](auto n) { vtb::token_choice::shrink<T, n.value>(args); }))
VTB_KERNELS(vtb_recover_tokens, vtbc_recover_tokens_args, vtb::block_threads, 0,
            vtb::by_width<T>(vtb::fits_vectors<T>(args.channels, args.in, args.before, args.after, args.out),
                             [&](auto n) { vtb::token_choice::recover<T, n.value>(args); }))
VTB_KERNELS(vtb_score_tokens, vtbc_score_tokens_args, vtb::block_threads, 2,
            vtb::by_width<T>(vtb::fits_vectors<T>(args.head_dim, args.qkv),
                             [&](auto n) { vtb::token_choice::score<T, n.value>(args); }))
VTB_KERNELS(vtb_pool_scores, vtbc_pool_scores_args, vtb::block_threads, 0, vtb::token_choice::pool_scores<T>(args))

// Any block (slice, up to 8) does.
extern "C" int32_t vtbc_shrink_tokens_launch(vtbc_shrink_tokens_args* args, vtbc_dtype dtype, vtbc_launch* launches) {
  using namespace vtb::token_choice;
  const int64_t n = vtb::by_dtype(dtype, [&](auto of) {
    using T = decltype(of);
    return takes_vectors<T>(*args) ? vtb::vector_size<T> : 1;
  });
  launches[0] = {vtb_shrink_tokens_names[dtype],
                 args->batch * vtb::divide_up(args->channels, n * slice),
                 slice,
                 vtb::block_threads / slice,
                 args->tokens * int64_t{sizeof(int32_t)},
                 0};
  return 1;
}

extern "C" int32_t vtbc_recover_tokens_launch(vtbc_recover_tokens_args* args, vtbc_dtype dtype, vtbc_launch* launches) {
  launches[0] = {vtb_recover_tokens_names[dtype],
                 args->batch * vtb::divide_up(args->tokens, vtb::token_choice::slice),
                 vtb::block_threads,
                 1,
                 args->tokens * int64_t{sizeof(int32_t)},
                 0};
  return 1;
}

extern "C" int32_t vtbc_score_tokens_launch(vtbc_score_tokens_args* args, vtbc_dtype dtype, vtbc_launch* launches) {
  const int64_t weights = int64_t{args->heads} * vtb::token_choice::shrunken(args->tokens, args->kept);
  launches[0] = {vtb_score_tokens_names[dtype],
                 args->batch,
                 vtb::block_threads,
                 1,
                 args->tokens * int64_t{sizeof(int32_t)} + weights * int64_t{sizeof(float)},
                 0};
  return 1;
}

extern "C" int32_t vtbc_pool_scores_launch(vtbc_pool_scores_args* args, vtbc_dtype dtype, vtbc_launch* launches) {
  launches[0] = {vtb_pool_scores_names[dtype], args->batch, vtb::block_threads, 1, 0, 0};
  return 1;
}
