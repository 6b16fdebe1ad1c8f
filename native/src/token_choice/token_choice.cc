// Operations on chosen tokens; see "chosen tokens" in vertebra.h. They do little beside the block they belong to:
// plain loops, one file for all levels. Each finds its choice anew from the scores: no tensor has to hold indices.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "runtime/pool.h"
#include "runtime/rounding.h"
#include "vertebra.h"

namespace vtb {
namespace {

// An unsigned integer in the order of the float: choices are of exactly `kept` tokens, whatever the scores are.
inline uint32_t order_of(float score) {
  uint32_t bits;
  std::memcpy(&bits, &score, sizeof bits);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// Tells for the tokens of one image, asked for one after another, whether each is kept.
class Choice {
 public:
  Choice(const float* scores, int32_t tokens, int32_t kept) : scores_(kept == tokens ? nullptr : scores) {
    if (!scores_) return;
    // The kept-th highest score, bit by bit: the greatest threshold that at least `kept` tokens reach.
    for (uint32_t bit = 0x80000000u; bit != 0; bit >>= 1) {
      if (count(threshold_ | bit, tokens) >= kept) threshold_ |= bit;
    }
    ties_ = kept - (threshold_ == 0xffffffffu ? 0 : count(threshold_ + 1, tokens));
  }

  bool keeps(int32_t token) {
    if (!scores_) return true;
    const uint32_t order = order_of(scores_[token]);
    return order > threshold_ || (order == threshold_ && ties_-- > 0);
  }

 private:
  int32_t count(uint32_t least, int32_t tokens) const {
    int32_t reached = 0;
    for (int32_t i = 0; i < tokens; ++i) reached += order_of(scores_[i]) >= least;
    return reached;
  }

  const float* scores_;  // null: all are kept
  uint32_t threshold_ = 0;
  int32_t ties_ = 0;  // tokens still to be kept among those at the threshold
};

inline int64_t shrunken(int32_t tokens, int32_t kept) { return kept + (kept < tokens ? 2 : 1); }

// Runs body(image, first, count) for blocks of channels of every image.
template <typename Body>
void for_channels(vtb_pool* pool, int32_t batch, int32_t channels, const Body& body) {
  constexpr int32_t block = 128;
  const int64_t blocks = divide_up(channels, block);
  parallel_for(pool, int64_t{batch} * blocks, [&](int64_t task, int32_t) {
    const int64_t first = task % blocks * block;
    body(task / blocks, first, std::min<int64_t>(block, channels - first));
  });
}

void shrink(const vtb_shrink_tokens_args& args, int64_t image, int64_t first, int64_t count) {
  const int64_t channels = args.channels;
  const size_t bytes = count * sizeof(float);
  const float* in = args.in + image * args.tokens * channels + first;
  const float* scores = args.scores ? args.scores + image * args.tokens : nullptr;
  float* out = args.out + image * shrunken(args.tokens, args.kept) * channels + first;
  std::memcpy(out, args.class_token + image * args.class_stride + first, bytes);
  float* to = out + channels;
  float* representative = out + (args.kept + 1) * channels;
  float total = 0;
  if (args.kept < args.tokens) {
    std::memset(representative, 0, bytes);
    Choice choice(scores, args.tokens, args.kept);
    for (int32_t i = 0; i < args.tokens; ++i) total += choice.keeps(i) ? 0 : scores[i];
  }
  Choice choice(scores, args.tokens, args.kept);
  for (int32_t i = 0; i < args.tokens; ++i, in += channels) {
    if (choice.keeps(i)) {
      std::memcpy(to, in, bytes);
      to += channels;
    } else {
      const float weight = scores[i] / total;
      for (int64_t c = 0; c < count; ++c) representative[c] += weight * in[c];
    }
  }
}

void recover(const vtb_recover_tokens_args& args, int64_t image, int64_t first, int64_t count) {
  const int64_t channels = args.channels, rows = shrunken(args.tokens, args.kept);
  const float* in = args.in + image * args.tokens * channels + first;
  const float* before = args.before + (image * rows + args.kept + 1) * channels + first;
  const float* after = args.after + (image * rows + args.kept + 1) * channels + first;
  const float* from = args.after + (image * rows + 1) * channels + first;
  float* out = args.out + image * args.tokens * channels + first;
  Choice choice(args.scores ? args.scores + image * args.tokens : nullptr, args.tokens, args.kept);
  for (int32_t i = 0; i < args.tokens; ++i, in += channels, out += channels) {
    if (choice.keeps(i)) {
      std::memcpy(out, from, count * sizeof(float));
      from += channels;
    } else {
      for (int64_t c = 0; c < count; ++c) out[c] = in[c] + (after[c] - before[c]);
    }
  }
}

float dot(const float* a, const float* b, int32_t n) {
  constexpr int lanes = 8;
  float sums[lanes] = {};
  int32_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (int lane = 0; lane < lanes; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
  float sum = 0;
  for (; i < n; ++i) sum += a[i] * b[i];
  for (float part : sums) sum += part;
  return sum;
}

// weights[j] = the attention row 0 pays to row j, averaged over heads. `logits` has as many floats.
void class_attention(const vtb_score_tokens_args& args, const float* qkv, int64_t rows, float* weights, float* logits) {
  const int64_t width = int64_t{args.heads} * args.head_dim;
  std::fill(weights, weights + rows, 0.0f);
  for (int64_t head = 0; head < args.heads; ++head) {
    const float* query = qkv + head * args.head_dim;
    const float* keys = query + width;
    float greatest = -HUGE_VALF, sum = 0;
    for (int64_t j = 0; j < rows; ++j) {
      logits[j] = args.scale * dot(query, keys + j * 3 * width, args.head_dim);
      greatest = std::max(greatest, logits[j]);
    }
    for (int64_t j = 0; j < rows; ++j) sum += logits[j] = std::exp(logits[j] - greatest);
    const float factor = 1 / (sum * static_cast<float>(args.heads));
    for (int64_t j = 0; j < rows; ++j) weights[j] += factor * logits[j];
  }
}

void score(const vtb_score_tokens_args& args, int64_t image, float* scratch) {
  const int64_t rows = shrunken(args.tokens, args.kept);
  float* weights = scratch;
  class_attention(args, args.qkv + image * rows * 3 * args.heads * args.head_dim, rows, weights, scratch + rows);
  const float* scores = args.scores ? args.scores + image * args.tokens : nullptr;
  float* out = args.out + image * args.tokens;
  Choice choice(scores, args.tokens, args.kept);
  const float* weight = weights + 1;
  for (int32_t i = 0; i < args.tokens; ++i) {
    const bool kept = choice.keeps(i);
    const float own = kept ? *weight++ : weights[args.kept + 1];
    if (!scores) {
      out[i] = own;
    } else if (kept || args.kept + 1 == args.tokens) {
      out[i] = (1 - args.trade_off) * scores[i] + args.trade_off * own;
    } else {
      out[i] = scores[i];
    }
  }
}

float sum_of(const float* values, int64_t count) {
  float sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += values[i];
  return sum;
}

void pool_scores(const vtb_pool_scores_args& args, int64_t element) {
  const int64_t height = args.height / 2, width = args.width / 2;
  const int64_t in_count = int64_t{args.time} * args.height * args.width, out_count = args.time * height * width;
  const float* in = args.in + element * in_count;
  float* out = args.out + element * out_count;
  for (int64_t row = 0; row < args.time * height; ++row) {
    const float* upper = in + (row / height * args.height + row % height * 2) * args.width;
    for (int64_t x = 0; x < width; ++x) {
      const float* corner = upper + 2 * x;
      out[row * width + x] = 0.25f * (corner[0] + corner[1] + corner[args.width] + corner[args.width + 1]);
    }
  }
  const float factor = sum_of(in, in_count) / sum_of(out, out_count);
  for (int64_t i = 0; i < out_count; ++i) out[i] *= factor;
}

int64_t score_scratch(const vtb_score_tokens_args& args) {
  return round_up(shrunken(args.tokens, args.kept) * 2 * static_cast<int64_t>(sizeof(float)), 64);
}

}  // namespace
}  // namespace vtb

extern "C" {

vtb_status vtb_shrink_tokens(vtb_pool* pool, const vtb_shrink_tokens_args* args) {
  vtb::for_channels(pool, args->batch, args->channels,
                    [=](int64_t image, int64_t first, int64_t count) { vtb::shrink(*args, image, first, count); });
  return VTB_OK;
}

vtb_status vtb_recover_tokens(vtb_pool* pool, const vtb_recover_tokens_args* args) {
  vtb::for_channels(pool, args->batch, args->channels,
                    [=](int64_t image, int64_t first, int64_t count) { vtb::recover(*args, image, first, count); });
  return VTB_OK;
}

int64_t vtb_score_tokens_scratch(const vtb_score_tokens_args* args) { return vtb::score_scratch(*args); }

vtb_status vtb_score_tokens(vtb_pool* pool, const vtb_score_tokens_args* args) {
  vtb::parallel_for(pool, args->batch, [=](int64_t image, int32_t worker) {
    char* scratch = static_cast<char*>(args->scratch) + worker * vtb::score_scratch(*args);
    vtb::score(*args, image, reinterpret_cast<float*>(scratch));
  });
  return VTB_OK;
}

vtb_status vtb_pool_scores(vtb_pool* pool, const vtb_pool_scores_args* args) {
  vtb::parallel_for(pool, args->batch, [=](int64_t element, int32_t) { vtb::pool_scores(*args, element); });
  return VTB_OK;
}

}  // extern "C"
