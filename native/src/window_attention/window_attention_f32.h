// The body of windowed attention, written once over Vec. Included by window_attention_f32__<isa>.cc, which first gives
// the register tile (tile_rows, tile_vectors) and interleave_low / interleave_high.
//
// The keys of a (window, head) pair are done in blocks whose panels stay in the second-level cache; most windows are
// one block. Within a block, queries are done in tiles: all logits of up to `width` queries, their softmax, the
// weighted sum of v. The weights of a tile stay in the first-level cache and are written nowhere else. Over several
// blocks a query's greatest logit, sum of weights and weighted sum of v are carried along (M. Milakov, N. Gimelshein,
// arXiv 1805.02867; T. Dao et al., "FlashAttention", arXiv 2205.14135).
#pragma once

#include "window_attention/tile_f32.h"
#include "window_attention/window_attention.h"

namespace vtb::VTB_ISA {
namespace {

// One (window, head): its operands as views. q, k, v and out are strided by tokens.
struct Pair {
  const float *q, *k, *v;
  int64_t qkv_stride;
  const float* bias;       // of the head, or null
  const int32_t* regions;  // [tokens], or null
  float* out;
  int64_t out_stride;
};

constexpr int64_t most_tiles = divide_up(most_queries, width);

// A thread's memory: offsets of its parts in floats.
struct Layout {
  int64_t v_panels;   // k_panels, the transpose of the block's keys in rows rounded up to width, come first
  int64_t weights;    // [width, tile_stride], see Tile
  int64_t bias_tile;  // the same of biases, where the bias is a table
  int64_t online;     // OnlineSoftmax for every tile of a call
  int64_t end;
};

int64_t keys_per_block(int64_t tokens) { return panels_of(even_part(tokens, most_keys)) * width; }

Layout layout(const vtb_window_attention_args& args) {
  const int64_t keys = keys_per_block(args.tokens), tile = width * tile_stride;
  Layout at;
  at.v_panels = panels_of(keys) * k_panel_floats(args.head_dim);
  at.weights = at.v_panels + panels_of(args.head_dim) * width * keys;
  at.bias_tile = at.weights + tile;
  at.online = at.bias_tile + (args.bias_columns > 0 ? tile : 0);
  at.end = at.online + most_tiles * static_cast<int64_t>(sizeof(OnlineSoftmax) / sizeof(float));
  return at;
}

int64_t scratch_bytes(const vtb_window_attention_args& args) {
  return round_up(layout(args).end * static_cast<int64_t>(sizeof(float)), 64);
}

bool is_mixed(const int32_t* regions, int64_t tokens) {
  for (int64_t i = 1; i < tokens; ++i) {
    if (regions[i] != regions[0]) return true;
  }
  return false;
}

Pair make_pair(const vtb_window_attention_args& args, int64_t index) {
  const int64_t tokens = args.tokens, head_dim = args.head_dim, channels = args.heads * head_dim;
  const int64_t window = index / args.heads, head = index % args.heads, columns = args.bias_columns;
  const int64_t biases = columns > 0 ? (2 * (tokens / columns) - 1) * (2 * columns - 1) : tokens * tokens;
  Pair pair;
  pair.q = args.qkv + window * tokens * 3 * channels + head * head_dim;
  pair.k = pair.q + channels;
  pair.v = pair.k + channels;
  pair.qkv_stride = 3 * channels;
  pair.bias = args.bias ? args.bias + head * biases : nullptr;
  pair.regions = args.regions ? args.regions + window % args.windows_per_image * tokens : nullptr;
  // Most windows of a shifted map touch no border: one label, nothing to mask.
  if (pair.regions && !is_mixed(pair.regions, tokens)) pair.regions = nullptr;
  pair.out = args.out + window * tokens * channels + head * head_dim;
  pair.out_stride = channels;
  return pair;
}

// The biases of a tile's queries, from `query` on, against the keys [first, first + keys), from a table of offsets:
// those against one row of keys lie side by side.
void copy_biases(const float* table, int64_t tokens, int64_t columns, int64_t query, int64_t queries, int64_t first,
                 int64_t keys, float* to) {
  const int64_t step = 2 * columns - 1;
  const float* token_0[width];  // each query's bias against token 0
  int64_t row = query / columns, column = query % columns;
  for (int64_t r = 0; r < queries; ++r) {
    token_0[r] = table + (tokens / columns - 1 - row) * step + columns - 1 - column;
    if (++column == columns) ++row, column = 0;
  }
  int64_t from = first / columns * step;
  column = first % columns;
  for (int64_t done = 0; done < keys; from += step, column = 0) {
    const int64_t n = columns - column < keys - done ? columns - column : keys - done;
    for (int64_t j = 0; j < n; j += width) {
      // What is written beyond the row of keys the next one overwrites, or nobody reads.
      for (int64_t r = 0; r < queries; ++r) {
        load_up_to(token_0[r] + from + column + j, n - j).store(to + r * tile_stride + done + j);
      }
    }
    done += n;
  }
}

// The block of `keys` keys from `first` on, packed into `scratch` unless they are there already.
Block make_block(const vtb_window_attention_args& args, const Pair& pair, int64_t first, int64_t keys, bool packed,
                 float* scratch) {
  const Layout at = layout(args);
  const int64_t loose = keys > width && keys % width <= most_loose_keys ? keys % width : 0;
  const float *k = pair.k + first * pair.qkv_stride, *v = pair.v + first * pair.qkv_stride;
  Block block;
  block.keys = keys;
  block.panel_keys = keys - loose;
  block.head_dim = args.head_dim;
  block.k_panels_at_once = even_part(panels_of(block.panel_keys), tile_vectors);
  block.v_panels_at_once = even_part(panels_of(args.head_dim), tile_vectors);
  block.scale = args.scale;
  block.k_panels = scratch;
  block.v_panels = scratch + at.v_panels;
  block.loose_k = k + block.panel_keys * pair.qkv_stride;
  block.qkv_stride = pair.qkv_stride;
  block.out_stride = pair.out_stride;
  block.regions = pair.regions ? pair.regions + first : nullptr;
  block.is_first = first == 0;
  block.is_last = first + keys == args.tokens;
  if (!packed) {
    pack_k(k, pair.qkv_stride, block.panel_keys, args.head_dim, scratch);
    pack_v(v, pair.qkv_stride, keys, args.head_dim, scratch + at.v_panels);
  }
  return block;
}

void run(const vtb_window_attention_args& args, int64_t index, int64_t begin, int64_t end, bool packed, void* memory) {
  const Pair pair = make_pair(args, index);
  const Layout at = layout(args);
  float* const scratch = static_cast<float*>(memory);
  float* const bias_tile = scratch + at.bias_tile;
  OnlineSoftmax* const online = reinterpret_cast<OnlineSoftmax*>(scratch + at.online);
  const int64_t tokens = args.tokens, part = even_part(end - begin, width);
  for_parts(tokens, keys_per_block(tokens), [&](int64_t first, int64_t keys) {
    const Block block = make_block(args, pair, first, keys, packed && keys == tokens, scratch);
    for_parts(end - begin, part, [&](int64_t done, int64_t queries) {
      const int64_t query = begin + done;
      Tile tile;
      tile.rows = queries;
      tile.part = even_part(queries, tile_rows);
      tile.q = pair.q + query * pair.qkv_stride;
      tile.out = pair.out + query * pair.out_stride;
      tile.online = online + done / part;
      tile.weights = scratch + at.weights;
      tile.regions = pair.regions ? pair.regions + query : nullptr;
      tile.bias = nullptr;
      if (pair.bias && args.bias_columns > 0) {
        copy_biases(pair.bias, tokens, args.bias_columns, query, queries, first, keys, bias_tile);
        tile.bias = bias_tile;
        tile.bias_stride = tile_stride;
      } else if (pair.bias) {
        tile.bias = pair.bias + query * tokens + first;
        tile.bias_stride = tokens;
      }
      score(block, tile);
      weigh(block, tile);
      gather(block, tile);
    });
  });
}

}  // namespace
}  // namespace vtb::VTB_ISA
