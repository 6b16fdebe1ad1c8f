// Body of the GEMM kernel; included after a simd header. The output tile stays in registers over all of k: per step of
// k one row of the weight panel is loaded, and each of its vectors is multiplied with every row's broadcast element
// (K. Goto, R. van de Geijn, "Anatomy of high-performance matrix multiplication", 2008, without packing of A).
#pragma once

#include "gemm/gemm.h"
#include "rows/rows_f32.h"
#include "simd/math.h"

namespace vtb::VTB_ISA {

// The epilogue of what is rare or dominated by its own arithmetic: column tails and GELU. `sums` is [rows, nr].
__attribute__((noinline)) static void finish_tile(const GemmTile& tile, const float* sums, int rows, int nr) {
  constexpr int w = Vec::width;
  for (int i = 0; i < rows; ++i) {
    const int64_t row = tile.out_map ? tile.out_map[i] : i;
    if (row < 0) continue;
    float* out = tile.out + row * tile.out_stride;
    const float* residual = tile.residual ? tile.residual + row * tile.out_stride : nullptr;
    for (int j = 0; j < tile.columns; j += w) {
      Vec sum = Vec::load(sums + i * nr + j);
      if (tile.gelu) sum = gelu(sum);
      const int left = tile.columns - j;
      if (left >= w) {
        (residual ? sum + Vec::load(residual + j) : sum).store(out + j);
      } else {
        (residual ? sum + Vec::load_partial(residual + j, left) : sum).store_partial(out + j, left);
      }
    }
  }
}

// One tile of `rows` x (vectors * Vec::width).
template <int rows, int vectors, int unroll>
static void multiply_tile(const GemmTile& tile) {
  constexpr int w = Vec::width, nr = vectors * w;
  Vec sums[rows][vectors];
#pragma GCC unroll 4
  for (int j = 0; j < vectors; ++j) {
    Vec bias = Vec::zero();
    if (tile.bias) {
      const int left = tile.columns - j * w;
      if (left >= w) {
        bias = Vec::load(tile.bias + j * w);
      } else if (left > 0) {
        bias = Vec::load_partial(tile.bias + j * w, left);
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) sums[i][j] = bias;
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
      for (int j = 0; j < vectors; ++j) sums[i][j] = fma(x, weights[j], sums[i][j]);
    }
  };
  const auto advance = [&](int steps) __attribute__((always_inline)) {
    panel += steps * nr;
#pragma GCC unroll 8
    for (int i = 0; i < pointers; ++i) a[i] += steps;
  };

  const char* next = tile.next;
  const int32_t next_lines = tile.next_lines;
  int32_t k = tile.k;
  for (; k >= unroll; k -= unroll) {
#pragma GCC unroll 4
    for (int u = 0; u < unroll; ++u) step(u);
    advance(unroll);
    for (int32_t line = 0; line < next_lines; ++line, next += 64) __builtin_prefetch(next, 0, 2);
  }
  for (; k > 0; --k) {
    step(0);
    advance(1);
  }

  if (tile.gelu || tile.columns < nr) {
    alignas(64) float spilled[rows * nr];
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j) sums[i][j].store(spilled + i * nr + j * w);
    }
    finish_tile(tile, spilled, rows, nr);
    return;
  }
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i) {
    const int64_t row = tile.out_map ? tile.out_map[i] : i;
    if (row < 0) continue;
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) {
      const int64_t at = row * tile.out_stride + j * w;
      (tile.residual ? sums[i][j] + Vec::load(tile.residual + at) : sums[i][j]).store(tile.out + at);
    }
  }
}

static void read_rows(const RowOperand& operand, int64_t begin, int64_t end, float* out, int64_t stride) {
  for (int64_t row = begin; row < end; ++row, out += stride) read_row(operand, row, out);
}

}  // namespace vtb::VTB_ISA
