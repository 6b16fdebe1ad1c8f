// A GEMM tile in vector registers; included after a simd header. The output tile stays in registers over all of k: per
// word of k one row of the weight panel is loaded, and each of its vectors is multiplied with every row's broadcast
// word (K. Goto, R. van de Geijn, "Anatomy of high-performance matrix multiplication", 2008, without packing of A).
#pragma once

#include "gemm/epilogue.h"

namespace vtb::VTB_ISA {

// One tile of `rows` x (vectors * Vec::width), from a panel of nr columns. Of the Arithmetic, start is what the sums of
// a vector of columns start as, multiply_add multiplies words, and product is what a sum stands for, bias included.
template <typename Arithmetic, int rows, int vectors, int unroll, int nr>
__attribute__((noinline)) static void multiply_tile(const GemmTile& tile) {
  constexpr int w = Vec::width, columns = vectors * w;
  Vec sums[rows][vectors];
#pragma GCC unroll 4
  for (int j = 0; j < vectors; ++j) {
    const Vec start = Arithmetic::template start<nr>(tile, j * w);
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) sums[i][j] = start;
  }

  // Three rows share a pointer (base, base + stride, base + 2 * stride): fourteen would not fit the registers.
  constexpr int pointers = (rows + 2) / 3;
  const int64_t stride = tile.a_stride;
  const float* a[pointers];
#pragma GCC unroll 8
  for (int i = 0; i < pointers; ++i) a[i] = tile.a + 3 * i * stride;
  const float* panel = tile.panel;
  const auto step = [&](int u) __attribute__((always_inline)) {
    Vec weights[vectors];
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) weights[j] = Vec::load(panel + u * nr + j * w);
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
      const Vec x = Vec::broadcast(a[i / 3][i % 3 * stride + u]);
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j) {
        sums[i][j] = Arithmetic::multiply_add(x, weights[j], sums[i][j]);
      }
    }
  };
  const auto advance = [&](int steps) __attribute__((always_inline)) {
    panel += steps * nr;
#pragma GCC unroll 8
    for (int i = 0; i < pointers; ++i) a[i] += steps;
  };

  const char* next = tile.next;
  const int32_t next_lines = tile.next_lines;
  int32_t words = tile.words;
  for (; words >= unroll; words -= unroll) {
#pragma GCC unroll 4
    for (int u = 0; u < unroll; ++u) step(u);
    advance(unroll);
    for (int32_t line = 0; line < next_lines; ++line, next += 64) __builtin_prefetch(next, 0, 2);
  }
  for (; words > 0; --words) {
    step(0);
    advance(1);
  }

  if (!tile.plain || tile.columns < columns) {
    alignas(64) float spilled[rows * columns];
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j) {
        Arithmetic::template product<nr>(tile, i, j * w, sums[i][j]).store(spilled + i * columns + j * w);
      }
    }
    finish_tile<Arithmetic>(tile, spilled, columns);
    return;
  }
  const Vec floor = Vec::broadcast(tile.floor);
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i) {
    const int64_t row = tile.out_map ? tile.out_map[i] : i;
    if (row < 0) continue;
    const float* residual = residual_row(tile, row);
    float* out = tile.out + row * tile.out_stride;
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) {
      const Vec x = Arithmetic::template product<nr>(tile, i, j * w, sums[i][j]);
      max(floor, residual ? x + Vec::load(residual + j * w) : x).store(out + j * w);
    }
  }
}

// A tile of 1 to mr rows, and of the panel's vectors as many as it has columns for.
template <typename Arithmetic, int mr, int vectors, int unroll, int nr = vectors* Vec::width>
static void multiply_rows(const GemmTile& tile) {
  if constexpr (mr > 1) {
    if (tile.rows < mr) return multiply_rows<Arithmetic, mr - 1, vectors, unroll, nr>(tile);
  }
  if constexpr (vectors > 1) {
    if (tile.columns <= (vectors - 1) * Vec::width) return multiply_rows<Arithmetic, mr, vectors - 1, unroll, nr>(tile);
  }
  multiply_tile<Arithmetic, mr, vectors, unroll, nr>(tile);
}

// The kernel of tiles of mr rows and so many vectors, with `unroll` words of k in the innermost loop.
template <typename Arithmetic, int mr, int vectors, int unroll>
static constexpr GemmKernel register_tiles(const char* name) {
  return {name,
          mr,
          vectors * Vec::width,
          unroll,
          Arithmetic::k_per_word,
          1,
          1,
          multiply_rows<Arithmetic, mr, vectors, unroll>,
          Arithmetic::stage_rows,
          nullptr,
          nullptr};
}

}  // namespace vtb::VTB_ISA
