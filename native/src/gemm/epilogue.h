// What follows the product of a GEMM tile; included after a simd header.
#pragma once

#include "gemm/gemm.h"
#include "simd/fast_activations.h"
#include "simd/partial.h"

namespace vtb::VTB_ISA {

// The value of a vtb_activation, as exact as the arithmetic of the product asks for.
template <typename Arithmetic>
static inline Vec activate(int32_t activation, Vec x) {
  return activation == VTB_GELU ? Arithmetic::gelu(x) : fast_activate(activation, x);
}

// The bias of a vector of columns.
static inline Vec bias_of(const GemmTile& tile, int column) {
  const int left = tile.columns - column;
  return tile.bias && left > 0 ? load_up_to(tile.bias + column, left) : Vec::zero();
}

// Sums in fp32.
struct FloatSums {
  template <int nr>
  static Vec start(const GemmTile& tile, int column) {
    return bias_of(tile, column);
  }

  template <int nr>
  static Vec product(const GemmTile&, int, int, Vec sum) {
    return sum;
  }
};

// What is added to a row of the tile's output, or null.
static inline const float* residual_row(const GemmTile& tile, int64_t row) {
  if (!tile.residual) return nullptr;
  const int64_t source = tile.residual_map ? tile.residual_map[row] : row;
  return source < 0 ? nullptr : tile.residual + source * tile.out_stride;
}

// Everything behind the sums, [rows, nr], with the activation before or after gate and residual.
template <typename Arithmetic, int32_t before, int32_t after>
static void finish_rows(const GemmTile& tile, const float* sums, int nr) {
  for (int i = 0; i < tile.rows; ++i, sums += nr) {
    const int64_t row = tile.out_map ? tile.out_map[i] : i;
    if (row < 0) continue;
    float* out = tile.out + row * tile.out_stride;
    const float* gate = tile.gate ? tile.gate + row * tile.gate_stride : nullptr;
    const float* residual = residual_row(tile, row);
    for (int j = 0; j < tile.columns; j += Vec::width) {
      const int left = tile.columns - j;
      Vec x = activate<Arithmetic>(before, Vec::load(sums + j));
      if (gate) x = x * load_up_to(gate + j, left);
      if (residual) x = x + load_up_to(residual + j, left);
      store_up_to(activate<Arithmetic>(after, x), out + j, left);
    }
  }
}

template <typename Arithmetic, int32_t activation>
static void finish_rows(const GemmTile& tile, const float* sums, int nr) {
  if (tile.activation_last) {
    finish_rows<Arithmetic, VTB_IDENTITY, activation>(tile, sums, nr);
  } else {
    finish_rows<Arithmetic, activation, VTB_IDENTITY>(tile, sums, nr);
  }
}

// The epilogue of what is rare or dominated by its own arithmetic: column tails, gates, activations other than ReLU.
template <typename Arithmetic>
__attribute__((noinline)) static void finish_tile(const GemmTile& tile, const float* sums, int nr) {
  switch (tile.activation) {
    case VTB_GELU: return finish_rows<Arithmetic, VTB_GELU>(tile, sums, nr);
    case VTB_RELU: return finish_rows<Arithmetic, VTB_RELU>(tile, sums, nr);
    case VTB_SILU: return finish_rows<Arithmetic, VTB_SILU>(tile, sums, nr);
    case VTB_SIGMOID: return finish_rows<Arithmetic, VTB_SIGMOID>(tile, sums, nr);
    case VTB_TANH: return finish_rows<Arithmetic, VTB_TANH>(tile, sums, nr);
    default: return finish_rows<Arithmetic, VTB_IDENTITY, VTB_IDENTITY>(tile, sums, nr);
  }
}

}  // namespace vtb::VTB_ISA
