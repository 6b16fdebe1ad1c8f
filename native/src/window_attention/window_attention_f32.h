// The body of windowed attention, written once over Vec. Included by window_attention_f32__<isa>.cc, which first gives
// the register tile (tile_rows, tile_vectors) and interleave_low / interleave_high.
//
// A (window, head) pair is done in row tiles: for up to tile_rows queries, all logits, their softmax, the weighted sum
// of v. The probabilities of a tile stay in the first-level cache and are not written anywhere else. Both matrix
// products are one function over a right operand packed in panels: a panel holds `width` columns, row after row.
#pragma once

#include "simd/partial.h"
#include "window_attention/window_attention.h"

namespace vtb::VTB_ISA {
namespace {

constexpr int width = Vec::width;

inline int64_t panels_of(int64_t columns) { return (columns + width - 1) / width; }

// One (window, head): its operands as views, and one thread's scratch. q, k, v and out are strided by tokens.
struct Pair {
  int64_t tokens, head_dim;
  float scale;
  const float *q, *k, *v;
  int64_t qkv_stride;
  const float* bias;       // [tokens, tokens], or null
  const int32_t* regions;  // [tokens], or null
  float* out;
  int64_t out_stride;
  float* k_panels;  // panels_of(tokens) panels of head_dim rows (rounded up to width): the transpose of k
  float* v_panels;  // panels_of(head_dim) panels of tokens rows
  float* tile;      // [tile_rows, tokens rounded up to width]: logits, then unnormalised probabilities
};

inline int64_t k_panel_floats(int64_t head_dim) { return panels_of(head_dim) * width * width; }

// Each step interleaves the halves of the tile's rows; as many steps as an index has bits exchange row and column.
inline void transpose(Vec (&rows)[width]) {
#pragma GCC unroll 4
  for (int step = 1; step < width; step *= 2) {
    Vec next[width];
#pragma GCC unroll 16
    for (int i = 0; i < width / 2; ++i) {
      next[2 * i] = interleave_low(rows[i], rows[i + width / 2]);
      next[2 * i + 1] = interleave_high(rows[i], rows[i + width / 2]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < width; ++i) rows[i] = next[i];
  }
}

void pack_k(const Pair& pair) {
  for (int64_t token = 0; token < pair.tokens; token += width) {
    float* panel = pair.k_panels + token / width * k_panel_floats(pair.head_dim);
    for (int64_t d = 0; d < pair.head_dim; d += width) {
      Vec rows[width];
#pragma GCC unroll 16
      for (int i = 0; i < width; ++i) {
        // Lanes past the last token repeat it; softmax drops them.
        const int64_t row = token + i < pair.tokens ? token + i : pair.tokens - 1;
        rows[i] = load_up_to(pair.k + row * pair.qkv_stride + d, pair.head_dim - d);
      }
      transpose(rows);
#pragma GCC unroll 16
      for (int i = 0; i < width; ++i) rows[i].store(panel + (d + i) * width);
    }
  }
}

void pack_v(const Pair& pair) {
  float* to = pair.v_panels;
  for (int64_t d = 0; d < pair.head_dim; d += width) {
    for (int64_t token = 0; token < pair.tokens; ++token, to += width) {
      load_up_to(pair.v + token * pair.qkv_stride + d, pair.head_dim - d).store(to);
    }
  }
}

// out[r, c] = scales[r] * sum over i < k of a[r, i] * b[i, c], for R rows and `columns` columns of V panels.
template <int R, int V>
void product(int64_t k, const float* a, int64_t a_stride, const float* b, int64_t panel_floats, const float* scales,
             float* out, int64_t out_stride, int64_t columns) {
  Vec sums[R][V];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) sums[r][v] = Vec::zero();
  }
  for (int64_t i = 0; i < k; ++i) {
    Vec right[V];
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) right[v] = Vec::load(b + v * panel_floats + i * width);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const Vec left = Vec::broadcast(a[r * a_stride + i]);
#pragma GCC unroll 16
      for (int v = 0; v < V; ++v) sums[r][v] = fma(left, right[v], sums[r][v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    const Vec scale = Vec::broadcast(scales[r]);
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) {
      store_up_to(sums[r][v] * scale, out + r * out_stride + v * width, columns - v * width);
    }
  }
}

using Product = decltype(&product<1, 1>);

template <int R, int V>
Product find_product(int64_t rows, int64_t vectors) {
  if constexpr (R > 1) {
    if (rows < R) return find_product<R - 1, V>(rows, vectors);
  }
  if constexpr (V > 1) {
    if (vectors < V) return find_product<R, V - 1>(rows, vectors);
  }
  return product<R, V>;
}

// The product with all panels of b, in tiles of even width.
void multiply(int64_t rows, int64_t k, const float* a, int64_t a_stride, const float* b, int64_t panel_floats,
              const float* scales, float* out, int64_t out_stride, int64_t columns) {
  const int64_t panels = panels_of(columns);
  int64_t tiles = (panels + tile_vectors - 1) / tile_vectors;
  for (int64_t done = 0; done < panels; --tiles) {
    const int64_t vectors = (panels - done + tiles - 1) / tiles;
    find_product<tile_rows, tile_vectors>(rows, vectors)(k, a, a_stride, b + done * panel_floats, panel_floats, scales,
                                                         out + done * width, out_stride, columns - done * width);
    done += vectors;
  }
}

// Completes query i's row of logits, padded to whole vectors with minus infinity, and returns the greatest.
float complete_logits(const Pair& pair, int64_t i, float* row) {
  const float* bias = pair.bias ? pair.bias + i * pair.tokens : nullptr;
  const int32_t* regions = pair.regions;
  const Vec region = Vec::broadcast(regions ? static_cast<float>(regions[i]) : 0);
  const auto complete = [&](int64_t j, int64_t n) {
    Vec logits = Vec::load(row + j);
    if (bias) logits = logits + load_up_to(bias + j, n);
    if (regions) {
      logits = logits + blend(equal(load_up_to(regions + j, n), region), Vec::zero(), Vec::broadcast(-100));
    }
    return logits;
  };
  const int64_t last = (pair.tokens - 1) / width * width;
  const int64_t rest = pair.tokens - last;
  Vec greatest = blend(first_lanes(static_cast<int>(rest)), complete(last, rest), Vec::broadcast(-__builtin_inff()));
  greatest.store(row + last);
  for (int64_t j = 0; j < last; j += width) {
    const Vec logits = complete(j, width);
    logits.store(row + j);
    greatest = max(greatest, logits);
  }
  return reduce_max(greatest);
}

// Replaces the logits of a padded row by exp(logit - greatest) and returns their sum.
float exponentiate(float* row, int64_t padded, float greatest) {
  const Vec shift = Vec::broadcast(greatest);
  Vec sum = Vec::zero();
  for (int64_t j = 0; j < padded; j += width) {
    const Vec weights = exp(Vec::load(row + j) - shift);
    weights.store(row + j);
    sum = sum + weights;
  }
  return reduce_add(sum);
}

// The queries [begin, end), against packed keys and values.
void attend(const Pair& pair, int64_t begin, int64_t end) {
  const int64_t stride = panels_of(pair.tokens) * width;
  float scales[tile_rows], greatest[tile_rows];
  int64_t tiles = (end - begin + tile_rows - 1) / tile_rows;
  for (int64_t query = begin; query < end; --tiles) {
    const int64_t rows = (end - query + tiles - 1) / tiles;
    for (int64_t r = 0; r < rows; ++r) scales[r] = pair.scale;
    multiply(rows, pair.head_dim, pair.q + query * pair.qkv_stride, pair.qkv_stride, pair.k_panels,
             k_panel_floats(pair.head_dim), scales, pair.tile, stride, stride);
    // Two loops: within one row the reductions are chains that nothing would overlap.
    for (int64_t r = 0; r < rows; ++r) greatest[r] = complete_logits(pair, query + r, pair.tile + r * stride);
    for (int64_t r = 0; r < rows; ++r) scales[r] = 1 / exponentiate(pair.tile + r * stride, stride, greatest[r]);
    multiply(rows, pair.tokens, pair.tile, stride, pair.v_panels, pair.tokens * width, scales,
             pair.out + query * pair.out_stride, pair.out_stride, pair.head_dim);
    query += rows;
  }
}

int64_t scratch_bytes(int32_t tokens, int32_t head_dim) {
  const int64_t floats = panels_of(tokens) * k_panel_floats(head_dim) + panels_of(head_dim) * width * tokens +
                         tile_rows * panels_of(tokens) * width;
  return (floats * static_cast<int64_t>(sizeof(float)) + 63) / 64 * 64;
}

bool is_mixed(const int32_t* regions, int64_t tokens) {
  for (int64_t i = 1; i < tokens; ++i) {
    if (regions[i] != regions[0]) return true;
  }
  return false;
}

Pair make_pair(const vtb_window_attention_args& args, int64_t index, void* scratch) {
  const int64_t tokens = args.tokens, head_dim = args.head_dim, channels = args.heads * head_dim;
  const int64_t window = index / args.heads, head = index % args.heads;
  Pair pair;
  pair.tokens = tokens;
  pair.head_dim = head_dim;
  pair.scale = args.scale;
  pair.q = args.qkv + window * tokens * 3 * channels + head * head_dim;
  pair.k = pair.q + channels;
  pair.v = pair.k + channels;
  pair.qkv_stride = 3 * channels;
  pair.bias = args.bias ? args.bias + head * tokens * tokens : nullptr;
  pair.regions = args.regions ? args.regions + window % args.windows_per_image * tokens : nullptr;
  // Most windows of a shifted map touch no border: one label, nothing to mask.
  if (pair.regions && !is_mixed(pair.regions, tokens)) pair.regions = nullptr;
  pair.out = args.out + window * tokens * channels + head * head_dim;
  pair.out_stride = channels;
  pair.k_panels = static_cast<float*>(scratch);
  pair.v_panels = pair.k_panels + panels_of(tokens) * k_panel_floats(head_dim);
  pair.tile = pair.v_panels + panels_of(head_dim) * width * tokens;
  return pair;
}

void run(const vtb_window_attention_args& args, int64_t index, int64_t begin, int64_t end, bool packed, void* scratch) {
  const Pair pair = make_pair(args, index, scratch);
  if (!packed) {
    pack_k(pair);
    pack_v(pair);
  }
  attend(pair, begin, end);
}

}  // namespace
}  // namespace vtb::VTB_ISA
