// Panels: `width` columns of a matrix, row after row, as the right operand of the products; and what else exchanges
// rows and columns. Included by tile_f32.h.
#pragma once

#include "runtime/rounding.h"
#include "simd/partial.h"

namespace vtb::VTB_ISA {
namespace {

constexpr int width = Vec::width;

inline int64_t panels_of(int64_t columns) { return divide_up(columns, width); }

// Of a panel of transposed keys.
inline int64_t k_panel_floats(int64_t head_dim) { return panels_of(head_dim) * width * width; }

// As many steps as an index has bits exchange row and column, but for the order of the columns within fours.
inline int transposed_column(int row) { return (row & ~3) | (row & 1) << 1 | (row & 2) >> 1; }

template <int step = 0>
inline void transpose(Vec (&rows)[width]) {
  if constexpr (1 << step < width) {
    Vec next[width];
#pragma GCC unroll 16
    for (int i = 0; i < width / 2; ++i) {
      next[i] = interleave_low<step>(rows[2 * i], rows[2 * i + 1]);
      next[i + width / 2] = interleave_high<step>(rows[2 * i], rows[2 * i + 1]);
    }
    transpose<step + 1>(next);
#pragma GCC unroll 16
    for (int i = 0; i < width; ++i) rows[i] = next[i];
  }
}

// The first `keys` rows of k, transposed. Lanes past the last key repeat it.
inline void pack_k(const float* k, int64_t stride, int64_t keys, int64_t head_dim, float* panel) {
  for (int64_t key = 0; key < keys; key += width, panel += k_panel_floats(head_dim)) {
    const float* from = k + key * stride;
    const bool whole = key + width <= keys;
    for (int64_t d = 0; d < head_dim; d += width) {
      Vec rows[width];
      if (whole && d + width <= head_dim) {
#pragma GCC unroll 16
        for (int i = 0; i < width; ++i) rows[i] = Vec::load(from + i * stride + d);
      } else {
        for (int i = 0; i < width; ++i) {
          rows[i] = load_up_to(from + (key + i < keys ? i : keys - 1 - key) * stride + d, head_dim - d);
        }
      }
      transpose(rows);
#pragma GCC unroll 16
      for (int i = 0; i < width; ++i) rows[i].store(panel + (d + transposed_column(i)) * width);
    }
  }
}

inline void pack_v(const float* v, int64_t stride, int64_t keys, int64_t head_dim, float* to) {
  for (int64_t d = 0; d < head_dim; d += width) {
    for (int64_t key = 0; key < keys; ++key, to += width) load_up_to(v + key * stride + d, head_dim - d).store(to);
  }
}

// Combines the lanes of each row into one, by the steps of a transposition: row r in lane r.
template <int rows = width, typename Combine>
inline Vec reduce_rows(const Vec* x, const Combine& combine) {
  if constexpr (rows == 1) {
    return x[0];
  } else {
    constexpr int step = rows == width ? 0 : rows == width / 2 ? 1 : rows == width / 4 ? 2 : 3;
    Vec next[rows / 2];
#pragma GCC unroll 8
    for (int i = 0; i < rows / 2; ++i) {
      next[i] = combine(interleave_low<step>(x[2 * i], x[2 * i + 1]), interleave_high<step>(x[2 * i], x[2 * i + 1]));
    }
    return reduce_rows<rows / 2>(next, combine);
  }
}

inline Vec reduce_rows_max(const Vec (&rows)[width]) {
  return reduce_rows(rows, [](Vec a, Vec b) { return max(a, b); });
}

inline Vec reduce_rows_add(const Vec (&rows)[width]) {
  return reduce_rows(rows, [](Vec a, Vec b) { return a + b; });
}

}  // namespace
}  // namespace vtb::VTB_ISA
