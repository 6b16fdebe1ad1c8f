// Operations on chosen tokens; see "chosen tokens" in native/include/vertebra.h. Each finds its choice anew from the
// scores, in every block: no tensor has to hold indices.
#include "common.cuh"

namespace vtb::token_choice {
namespace {

constexpr int most_threads = 256;

__device__ __forceinline__ int32_t shrunken(int32_t tokens, int32_t kept) { return kept + (kept < tokens ? 2 : 1); }

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

// A block takes 32 vectors of channels of an image; threads of one threadIdx.y copy their share of the tokens, and add
// up theirs of the representative.
template <typename T, int n>
__device__ void shrink(const T* in, const T* scores, const T* class_token, T* out, int32_t batch, int32_t tokens,
                       int32_t channels, int32_t kept, int64_t class_stride) {
  VTB_DYNAMIC_SHARED(int32_t, rows);
  VTB_SHARED(float, partial, most_threads* n);
  const int32_t slices = (channels / n + 31) / 32, height = shrunken(tokens, kept);
  for (int64_t task = blockIdx.x; task < static_cast<int64_t>(batch) * slices; task += gridDim.x) {
    const int64_t image = task / slices;
    const int32_t c = (static_cast<int32_t>(task % slices) * 32 + threadIdx.x) * n;
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
        load(x, class_token + image * class_stride + c);
        store(to, x);
      }
    }
    if (kept == tokens) continue;
#pragma unroll
    for (int j = 0; j < n; ++j) partial[(j * blockDim.y + threadIdx.y) * 32 + threadIdx.x] = sum[j];
    __syncthreads();
    if (threadIdx.y > 0 || c >= channels) continue;
#pragma unroll
    for (int j = 0; j < n; ++j) {
      sum[j] = 0;
      for (uint32_t y = 0; y < blockDim.y; ++y) sum[j] += partial[(j * blockDim.y + y) * 32 + threadIdx.x];
    }
    store(to + static_cast<int64_t>(kept + 1) * channels, sum);
  }
}

// A block takes 32 tokens of an image.
template <typename T, int n>
__device__ void recover(const T* in, const T* scores, const T* before, const T* after, T* out, int32_t batch,
                        int32_t tokens, int32_t channels, int32_t kept) {
  VTB_DYNAMIC_SHARED(int32_t, rows);
  const int32_t slices = (tokens + 31) / 32, height = shrunken(tokens, kept), vectors = channels / n;
  for (int64_t task = blockIdx.x; task < static_cast<int64_t>(batch) * slices; task += gridDim.x) {
    const int64_t image = task / slices;
    const int32_t first = static_cast<int32_t>(task % slices) * 32, count = min(32, tokens - first);
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
__device__ void score(const T* qkv, const T* scores, T* out, int32_t batch, int32_t tokens, int32_t kept, int32_t heads,
                      int32_t head_dim, float scale, float trade_off) {
  VTB_DYNAMIC_SHARED(int32_t, rows);
  float* const weights = reinterpret_cast<float*>(rows + tokens);
  const int32_t height = shrunken(tokens, kept), width = heads * head_dim;
  for (int64_t image = blockIdx.x; image < batch; image += gridDim.x) {
    const T* query = qkv + image * height * 3 * width;
    __syncthreads();  // rows and weights before have been read
    find_rows(scores, image, tokens, kept, rows);
    for (int32_t head = 0; head < heads; ++head) {
      const T* q = query + head * head_dim;
      float* const weight = weights + static_cast<int64_t>(head) * height;
      float largest = -INFINITY, sum = 0;
      for (int32_t j = threadIdx.x; j < height; j += blockDim.x) {
        weight[j] = scale * dot<T, n>(q, q + width + static_cast<int64_t>(j) * 3 * width, head_dim);
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
        paid = row > 0 || kept + 1 == tokens ? (1 - trade_off) * own + trade_off * paid : own;
      }
      out[image * tokens + i] = from_float<T>(paid);
    }
  }
}

template <typename T>
__device__ void pool_scores(const T* in, T* out, int32_t batch, int32_t time, int32_t height, int32_t width) {
  const int32_t out_height = height / 2, out_width = width / 2;
  const int32_t in_count = time * height * width, out_count = time * out_height * out_width;
  for (int64_t element = blockIdx.x; element < batch; element += gridDim.x) {
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

// Operations compute on the `kept` tokens of each image with the highest scores; of equal scores the earlier token's
// counts as higher; NaN lies above all numbers or, with its sign bit set, below. An image has shrunken = 1 + kept +
// (kept < tokens) rows: the class token, the kept tokens in the order they lie, one representative of the others.
// scores: [batch, tokens]; may be null if kept == tokens. tokens * channels < 2^31. Dynamic shared memory: 4 * tokens
// bytes, unless other is said, besides up to 11 KiB of static. Any grid is right.

// in: [batch, tokens, channels]; out: [batch, shrunken, channels]. The class token of image b starts at class_token + b
// * class_stride; the representative is the sum of the tokens left out, each times its score / the sum of their scores.
// Block: (32, up to 8). Grid: batch * ceil(vectors / 32) blocks, vectors being those of 16 bytes in a row, or single
// channels where rows or class_stride are not whole vectors.
#define VTB_SHRINK_TOKENS(suffix, T)                                                                              \
  extern "C" __global__ void __launch_bounds__(256)                                                               \
      vtb_shrink_tokens_##suffix(const T* in, const T* scores, const T* class_token, T* out, int32_t batch,       \
                                 int32_t tokens, int32_t channels, int32_t kept, int64_t class_stride) {          \
    constexpr int n = vtb::vector_size<T>;                                                                        \
    if (vtb::fits_vectors<T>(channels, in, class_token, out) && class_stride % n == 0) {                          \
      vtb::token_choice::shrink<T, n>(in, scores, class_token, out, batch, tokens, channels, kept, class_stride); \
    } else {                                                                                                      \
      vtb::token_choice::shrink<T, 1>(in, scores, class_token, out, batch, tokens, channels, kept, class_stride); \
    }                                                                                                             \
  }                                                                                                               \
  VTB_REGISTER_KERNEL(vtb_shrink_tokens_##suffix, 256)
VTB_FOR_EACH_DTYPE(VTB_SHRINK_TOKENS)

// The way back: out[b, i] = the row of `after` that holds token i if it is kept, else in[b, i] + after[b,
// representative] - before[b, representative]. before, after: [batch, shrunken, channels]. Block: 256 threads. Grid:
// batch * ceil(tokens / 32) blocks.
#define VTB_RECOVER_TOKENS(suffix, T)                                                                    \
  extern "C" __global__ void __launch_bounds__(256)                                                      \
      vtb_recover_tokens_##suffix(const T* in, const T* scores, const T* before, const T* after, T* out, \
                                  int32_t batch, int32_t tokens, int32_t channels, int32_t kept) {       \
    constexpr int n = vtb::vector_size<T>;                                                               \
    if (vtb::fits_vectors<T>(channels, in, before, after, out)) {                                        \
      vtb::token_choice::recover<T, n>(in, scores, before, after, out, batch, tokens, channels, kept);   \
    } else {                                                                                             \
      vtb::token_choice::recover<T, 1>(in, scores, before, after, out, batch, tokens, channels, kept);   \
    }                                                                                                    \
  }                                                                                                      \
  VTB_REGISTER_KERNEL(vtb_recover_tokens_##suffix, 256)
VTB_FOR_EACH_DTYPE(VTB_RECOVER_TOKENS)

// New scores: out[b, i] = (1 - trade_off) * scores[b, i] + trade_off * w for a kept token, scores[b, i] for the others,
// where w is the attention the class token pays to the token's row, softmax(scale * q . k) averaged over heads; w if
// scores is null. If kept + 1 == tokens, the one left out takes the attention paid to the representative.
// qkv: [batch, shrunken, 3 * heads * head_dim], channels (q|k|v, head, d); out: [batch, tokens]. Dynamic shared memory:
// 4 * (tokens + heads * shrunken) bytes. Block: 256 threads. Grid: batch blocks.
#define VTB_SCORE_TOKENS(suffix, T)                                                                                 \
  extern "C" __global__ void __launch_bounds__(256, 2)                                                              \
      vtb_score_tokens_##suffix(const T* qkv, const T* scores, T* out, int32_t batch, int32_t tokens, int32_t kept, \
                                int32_t heads, int32_t head_dim, float scale, float trade_off) {                    \
    constexpr int n = vtb::vector_size<T>;                                                                          \
    if (vtb::fits_vectors<T>(head_dim, qkv)) {                                                                      \
      vtb::token_choice::score<T, n>(qkv, scores, out, batch, tokens, kept, heads, head_dim, scale, trade_off);     \
    } else {                                                                                                        \
      vtb::token_choice::score<T, 1>(qkv, scores, out, batch, tokens, kept, heads, head_dim, scale, trade_off);     \
    }                                                                                                               \
  }                                                                                                                 \
  VTB_REGISTER_KERNEL(vtb_score_tokens_##suffix, 256)
VTB_FOR_EACH_DTYPE(VTB_SCORE_TOKENS)

// Means of 2 x 2 scores, [batch, time, height, width] to [batch, time, height / 2, width / 2], an odd last row or
// column left out, then scaled so that each batch element keeps its sum. No shared memory. Block: 256 threads. Grid:
// batch blocks.
#define VTB_POOL_SCORES(suffix, T)                                                                                \
  extern "C" __global__ void __launch_bounds__(256)                                                               \
      vtb_pool_scores_##suffix(const T* in, T* out, int32_t batch, int32_t time, int32_t height, int32_t width) { \
    vtb::token_choice::pool_scores(in, out, batch, time, height, width);                                          \
  }                                                                                                               \
  VTB_REGISTER_KERNEL(vtb_pool_scores_##suffix, 256)
VTB_FOR_EACH_DTYPE(VTB_POOL_SCORES)
