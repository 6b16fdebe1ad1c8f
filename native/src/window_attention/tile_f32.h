// A tile of attention: up to `width` queries against one block of packed keys and values, the products in register
// tiles of up to tile_rows queries. Included by window_attention_f32.h.
#pragma once

#include "simd/fast_exp.h"
#include "window_attention/panels_f32.h"

namespace vtb::VTB_ISA {
namespace {

// The rows of a tile lie at a constant distance; at a power of two they would share cache sets.
constexpr int64_t most_keys = 256, tile_stride = most_keys + width;

// Up to so many keys beyond whole vectors are loose: their logits are dot products, which are cheaper than another
// panel.
constexpr int64_t most_loose_keys = width < 6 ? 1 : width / 3;

constexpr float infinity = __builtin_inff();

// A block of keys, and what is common to all its tiles.
struct Block {
  int64_t keys, head_dim;
  int64_t panel_keys;  // those in k_panels, the others are loose
  int64_t k_panels_at_once, v_panels_at_once;
  float scale;
  const float *k_panels, *v_panels;
  const float* loose_k;  // with stride qkv_stride, as q
  int64_t qkv_stride, out_stride;
  const int32_t* regions;  // of the keys, or null
  bool is_first, is_last;  // of the pair's blocks
};

// What softmax carries from one block of keys to the next: each row's greatest logit and sum of weights.
struct OnlineSoftmax {
  float greatest[width], sum[width];
};

// Some queries, and the state of their attention to a block.
struct Tile {
  int64_t rows, part;  // `part` rows at once
  const float* q;
  const float* bias;  // [rows, keys] with stride bias_stride, or null
  int64_t bias_stride;
  const int32_t* regions;  // of the queries, where the keys have some
  float* out;
  OnlineSoftmax* online;       // undefined before the first block
  float* weights;              // [width, tile_stride]: logits, then unnormalised weights
  Vec greatest;                // of each row's logits; row r in lane r, as below
  Vec loose[most_loose_keys];  // logits
  // The row's output: the weighted sum of v times `scale`, plus, after the first block, what was in `out` times `kept`.
  float scale[width], kept[width];
};

template <int R, int V>
struct Sums {
  Vec at[R][V];
};

// The sums over i < k of a[r, i] * b[i, c], for R rows and V panels.
template <int R, int V>
[[gnu::always_inline]] inline Sums<R, V> multiply(int64_t k, const float* a, int64_t a_stride, const float* b,
                                                  int64_t panel_floats) {
  Sums<R, V> sums;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) sums.at[r][v] = Vec::zero();
  }
  for (int64_t i = 0; i < k; ++i) {
    Vec right[V];
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) right[v] = Vec::load(b + v * panel_floats + i * width);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const Vec left = Vec::broadcast(a[r * a_stride + i]);
#pragma GCC unroll 16
      for (int v = 0; v < V; ++v) sums.at[r][v] = fma(left, right[v], sums.at[r][v]);
    }
  }
  return sums;
}

// The logits of V panels from key `first` on, padded with minus infinity, and the greatest of every lane.
template <int R, int V>
struct Score {
  static void run(const Block& block, const Tile& tile, int64_t row, int64_t first, Vec* greatest) {
    const int64_t panel_floats = k_panel_floats(block.head_dim);
    Sums<R, V> sums = multiply<R, V>(block.head_dim, tile.q + row * block.qkv_stride, block.qkv_stride,
                                     block.k_panels + first / width * panel_floats, panel_floats);
    const int rest = static_cast<int>(block.panel_keys - first) - (V - 1) * width;  // keys from the last panel on
    const Vec scale = Vec::broadcast(block.scale);
    const int64_t bias_stride = tile.bias_stride;
    const float* const bias = tile.bias ? tile.bias + row * bias_stride + first : nullptr;
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) {
      if (!bias) {
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) sums.at[r][v] = sums.at[r][v] * scale;
      } else if (v < V - 1 || rest >= width) {
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
          sums.at[r][v] = fma(sums.at[r][v], scale, Vec::load(bias + r * bias_stride + v * width));
        }
      } else {
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
          sums.at[r][v] = fma(sums.at[r][v], scale, Vec::load_partial(bias + r * bias_stride + v * width, rest));
        }
      }
    }
    if (block.regions) {
#pragma GCC unroll 16
      for (int v = 0; v < V; ++v) {
        const Vec regions = load_up_to(block.regions + first + v * width, v < V - 1 ? width : rest);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
          const Vec region = Vec::broadcast(static_cast<float>(tile.regions[row + r]));
          sums.at[r][v] = sums.at[r][v] + blend(equal(regions, region), Vec::zero(), Vec::broadcast(-100));
        }
      }
    }
    if (rest < width) {
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        sums.at[r][V - 1] = blend(first_lanes(rest), sums.at[r][V - 1], Vec::broadcast(-infinity));
      }
    }
    float* const logits = tile.weights + row * tile_stride + first;
    greatest += row;
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      Vec most = sums.at[r][0];
#pragma GCC unroll 16
      for (int v = 1; v < V; ++v) most = max(most, sums.at[r][v]);
      greatest[r] = max(greatest[r], most);
#pragma GCC unroll 16
      for (int v = 0; v < V; ++v) sums.at[r][v].store(logits + r * tile_stride + v * width);
    }
  }
};

// The weighted sums of v of V panels from channel `first` on.
template <int R, int V>
struct Gather {
  static void run(const Block& block, const Tile& tile, int64_t row, int64_t first) {
    const int64_t panel_floats = block.keys * width;
    const Sums<R, V> sums = multiply<R, V>(block.keys, tile.weights + row * tile_stride, tile_stride,
                                           block.v_panels + first / width * panel_floats, panel_floats);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const Vec scale = Vec::broadcast(tile.scale[row + r]);
#pragma GCC unroll 16
      for (int v = 0; v < V; ++v) {
        float* out = tile.out + (row + r) * block.out_stride + first + v * width;
        const int64_t n = block.head_dim - first - v * width;
        Vec x = sums.at[r][v] * scale;
        if (!block.is_first) x = fma(load_up_to(out, n), Vec::broadcast(tile.kept[row + r]), x);
        store_up_to(x, out, n);
      }
    }
  }
};

// Step for so many rows and vectors.
template <template <int, int> typename Step, int R = tile_rows, int V = tile_vectors>
auto find(int64_t rows, int64_t vectors) {
  if constexpr (R > 1) {
    if (rows < R) return find<Step, R - 1, V>(rows, vectors);
  }
  if constexpr (V > 1) {
    if (vectors < V) return find<Step, R, V - 1>(rows, vectors);
  }
  return &Step<R, V>::run;
}

// Divides `all` into as few parts of at most `most` as there can be, and returns the size of each but the last.
inline int64_t even_part(int64_t all, int64_t most) {
  const int64_t parts = divide_up(all, most);
  return divide_up(all, parts);
}

// Calls body(begin, n) for the parts of [0, all) of size `part`, the last perhaps smaller.
template <typename Body>
inline void for_parts(int64_t all, int64_t part, const Body& body) {
  for (int64_t begin = 0; begin < all; begin += part) body(begin, all - begin < part ? all - begin : part);
}

// Replaces the logits of N rows by exp(logit - greatest), and gives their sums.
template <int N>
inline void weigh_rows(float* rows, int64_t columns, const float* greatest, Vec* sums) {
  Vec shift[N], sum[N];
#pragma GCC unroll 16
  for (int r = 0; r < N; ++r) {
    shift[r] = Vec::broadcast(greatest[r]);
    sum[r] = Vec::zero();
  }
  for (int64_t j = 0; j < columns; j += width) {
    Vec x[N];
#pragma GCC unroll 16
    for (int r = 0; r < N; ++r) x[r] = Vec::load(rows + r * tile_stride + j) - shift[r];
    fast_exp(x);
#pragma GCC unroll 16
    for (int r = 0; r < N; ++r) {
      x[r].store(rows + r * tile_stride + j);
      sum[r] = sum[r] + x[r];
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < N; ++r) sums[r] = sum[r];
}

// The logits of loose key `key`, row r in lane r.
inline Vec score_loose(const Block& block, const Tile& tile, int64_t key) {
  const float* const k = block.loose_k + (key - block.panel_keys) * block.qkv_stride;
  const float* q[width];  // beyond the last row that again
  for (int r = 0; r < width; ++r) q[r] = tile.q + (r < tile.rows ? r : tile.rows - 1) * block.qkv_stride;
  Vec products[width];
#pragma GCC unroll 16
  for (Vec& x : products) x = Vec::zero();
  for (int64_t d = 0; d < block.head_dim; d += width) {
    const int64_t n = block.head_dim - d;
    const Vec right = load_up_to(k + d, n);
#pragma GCC unroll 16
    for (int r = 0; r < width; ++r) products[r] = fma(load_up_to(q[r] + d, n), right, products[r]);
  }
  float rest[width] = {};
  if (tile.bias) {
    for (int64_t r = 0; r < tile.rows; ++r) rest[r] = tile.bias[r * tile.bias_stride + key];
  }
  if (block.regions) {
    for (int64_t r = 0; r < tile.rows; ++r) {
      if (block.regions[key] != tile.regions[r]) rest[r] -= 100;
    }
  }
  return fma(reduce_rows_add(products), Vec::broadcast(block.scale), Vec::load(rest));
}

// The three steps of a tile's attention to a block.

// Logits, and the greatest of each row.
void score(const Block& block, Tile& tile) {
  Vec each[width];
  for (Vec& x : each) x = Vec::broadcast(-infinity);
  for_parts(tile.rows, tile.part, [&](int64_t row, int64_t rows) {
    for_parts(panels_of(block.panel_keys), block.k_panels_at_once, [&](int64_t panel, int64_t vectors) {
      find<Score>(rows, vectors)(block, tile, row, panel * width, each);
    });
  });
  tile.greatest = reduce_rows_max(each);
  for (int64_t key = block.panel_keys; key < block.keys; ++key) {
    Vec& x = tile.loose[key - block.panel_keys] = score_loose(block, tile, key);
    tile.greatest = max(tile.greatest, x);
  }
}

// Logits become weights, and the state is carried on.
void weigh(const Block& block, Tile& tile) {
  OnlineSoftmax* const online = tile.online;
  const Vec before = block.is_first ? tile.greatest : Vec::load(online->greatest);
  const Vec greatest = max(tile.greatest, before);
  greatest.store(online->greatest);

  Vec each[width];
  for (Vec& x : each) x = Vec::zero();
  const int64_t columns = panels_of(block.panel_keys) * width;
  for_parts(tile.rows, 4, [&](int64_t r, int64_t rows) {
    constexpr decltype(&weigh_rows<4>) weigh[] = {weigh_rows<1>, weigh_rows<2>, weigh_rows<3>, weigh_rows<4>};
    weigh[rows - 1](tile.weights + r * tile_stride, columns, online->greatest + r, each + r);
  });
  Vec sum = reduce_rows_add(each);
  for (int64_t key = block.panel_keys; key < block.keys; ++key) {
    Vec x[] = {tile.loose[key - block.panel_keys] - greatest};
    fast_exp(x);
    float weights[width];
    x[0].store(weights);
    for (int64_t r = 0; r < tile.rows; ++r) tile.weights[r * tile_stride + key] = weights[r];
    sum = sum + x[0];
  }

  Vec kept[] = {before - greatest};
  if (!block.is_first) {
    fast_exp(kept);
    sum = fma(Vec::load(online->sum), kept[0], sum);
  }
  sum.store(online->sum);
  const Vec scale = block.is_last ? Vec::broadcast(1) / sum : Vec::broadcast(1);
  scale.store(tile.scale);
  (kept[0] * scale).store(tile.kept);
}

// The weighted sums of v.
void gather(const Block& block, const Tile& tile) {
  for_parts(tile.rows, tile.part, [&](int64_t row, int64_t rows) {
    for_parts(panels_of(block.head_dim), block.v_panels_at_once,
              [&](int64_t panel, int64_t vectors) { find<Gather>(rows, vectors)(block, tile, row, panel * width); });
  });
}

}  // namespace
}  // namespace vtb::VTB_ISA
