// Body of the GEMM kernel; included after a simd header. The output tile stays in registers over all of k: per step of
// k one row of the weight panel is loaded, and each of its vectors is multiplied with every row's broadcast element
// (K. Goto, R. van de Geijn, "Anatomy of high-performance matrix multiplication", 2008, without packing of A).
#pragma once

#include "gemm/gemm.h"
#include "rows/rows_f32.h"
#include "simd/math.h"
#include "simd/partial.h"

namespace vtb::VTB_ISA {

// What is added to a row of the tile's output, or null.
static inline const float* residual_row(const GemmTile& tile, int64_t row) {
  if (!tile.residual) return nullptr;
  const int64_t source = tile.residual_map ? tile.residual_map[row] : row;
  return source < 0 ? nullptr : tile.residual + source * tile.out_stride;
}

// Everything behind the sums, [rows, nr], with the activation before or after gate and residual.
template <int32_t before, int32_t after>
static void finish_rows(const GemmTile& tile, const float* sums, int rows, int nr) {
  for (int i = 0; i < rows; ++i, sums += nr) {
    const int64_t row = tile.out_map ? tile.out_map[i] : i;
    if (row < 0) continue;
    float* out = tile.out + row * tile.out_stride;
    const float* gate = tile.gate ? tile.gate + row * tile.gate_stride : nullptr;
    const float* residual = residual_row(tile, row);
    for (int j = 0; j < tile.columns; j += Vec::width) {
      const int left = tile.columns - j;
      Vec x = activate(before, Vec::load(sums + j));
      if (gate) x = x * load_up_to(gate + j, left);
      if (residual) x = x + load_up_to(residual + j, left);
      store_up_to(activate(after, x), out + j, left);
    }
  }
}

template <int32_t activation>
static void finish_rows(const GemmTile& tile, const float* sums, int rows, int nr) {
  if (tile.activation_last) {
    finish_rows<VTB_IDENTITY, activation>(tile, sums, rows, nr);
  } else {
    finish_rows<activation, VTB_IDENTITY>(tile, sums, rows, nr);
  }
}

// The epilogue of what is rare or dominated by its own arithmetic: column tails, gates, activations other than ReLU.
__attribute__((noinline)) static void finish_tile(const GemmTile& tile, const float* sums, int rows, int nr) {
  switch (tile.activation) {
    case VTB_GELU: return finish_rows<VTB_GELU>(tile, sums, rows, nr);
    case VTB_RELU: return finish_rows<VTB_RELU>(tile, sums, rows, nr);
    case VTB_SILU: return finish_rows<VTB_SILU>(tile, sums, rows, nr);
    case VTB_SIGMOID: return finish_rows<VTB_SIGMOID>(tile, sums, rows, nr);
    case VTB_TANH: return finish_rows<VTB_TANH>(tile, sums, rows, nr);
    default: return finish_rows<VTB_IDENTITY, VTB_IDENTITY>(tile, sums, rows, nr);
  }
}

// One tile of `rows` x (vectors * Vec::width).
template <int rows, int vectors, int unroll>
static void multiply_tile(const GemmTile& tile) {
  constexpr int w = Vec::width, nr = vectors * w;
  Vec sums[rows][vectors];
#pragma GCC unroll 4
  for (int j = 0; j < vectors; ++j) {
    const int left = tile.columns - j * w;
    const Vec bias = tile.bias && left > 0 ? load_up_to(tile.bias + j * w, left) : Vec::zero();
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

  if (!tile.plain || tile.columns < nr) {
    alignas(64) float spilled[rows * nr];
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j) sums[i][j].store(spilled + i * nr + j * w);
    }
    finish_tile(tile, spilled, rows, nr);
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
      const Vec x = residual ? sums[i][j] + Vec::load(residual + j * w) : sums[i][j];
      max(floor, x).store(out + j * w);
    }
  }
}

}  // namespace vtb::VTB_ISA
