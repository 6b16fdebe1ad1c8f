// int8 arithmetic of the GEMM; included after a simd header. Rows of both operands are integers times a scale, those of
// the left one shifted by 128 to unsigned bytes, as VPDPBUSD wants them: sums start as what that adds, negated.
#pragma once

#include "gemm/register_tile.h"
#include "shared/rows_f32.h"

namespace vtb::VTB_ISA {

// Writes a row's integers plus 128 and returns its scale, NaN where the row holds NaN or infinity.
static float quantise_row(const float* in, int32_t count, uint8_t* out) {
  constexpr int w = Vec::width;
  // Two of each, so that a row is not one chain. Zero times NaN or infinity is NaN; the maximum would lose it.
  Vec largest[2] = {Vec::zero(), Vec::zero()}, not_finite[2] = {Vec::zero(), Vec::zero()};
  const auto look_at = [&](Vec x, int u) __attribute__((always_inline)) {
    largest[u] = max(abs(x), largest[u]);
    not_finite[u] = fma(x, Vec::zero(), not_finite[u]);
  };
  int32_t i = 0;
  for (; i + 2 * w <= count; i += 2 * w) {
    look_at(Vec::load(in + i), 0);
    look_at(Vec::load(in + i + w), 1);
  }
  for (; i < count; i += w) look_at(load_up_to(in + i, count - i), 0);
  const float magnitude = reduce_max(max(Vec::broadcast(int8_smallest), max(largest[0], largest[1])));
  const float scale = magnitude / 127 + reduce_add(not_finite[0] + not_finite[1]);
  const Vec inverse = Vec::broadcast(1 / scale);
  for (i = 0; i + w <= count; i += w) (Vec::load(in + i) * inverse).store(out + i);
  if (i < count) (Vec::load_partial(in + i, count - i) * inverse).store_partial(out + i, count - i);
  return scale;
}

struct Int8 {
  static constexpr int k_per_word = 4;

  template <int nr>
  static Vec start(const GemmTile& tile, int column) {
    return Vec::load(tile.panel - 2 * nr + column);
  }

  static Vec multiply_add(Vec x, Vec weight, Vec sum) { return dot_bytes(x, weight, sum); }

  // Rounded after each step, not fused, so that all levels give the same bits.
  template <int nr>
  static Vec product(const GemmTile& tile, int row, int column, Vec sum) {
    const Vec row_scale = Vec::broadcast(tile.a[row * tile.a_stride + tile.words]);
    return from_int32(sum) * (row_scale * Vec::load(tile.panel - nr + column)) + bias_of(tile, column);
  }

  template <typename Tiles, int sums, int a, int b>
  static void dot() {
    Tiles::template dot_bytes<sums, a, b>();
  }

  static Vec gelu(Vec x) { return gelu_for_bf16(x); }

  static void stage_rows(const RowOperand& operand, int64_t begin, int64_t end, float* out, int32_t words,
                         int64_t stride, float* gathered) {
    const int32_t columns = operand.columns;
    const bool in_place = !operand.map && !operand.gamma;
    for (int64_t row = begin; row < end; ++row, out += stride) {
      if (!in_place) read_rows(operand, row, row + 1, gathered, 0, nullptr);
      uint8_t* bytes = reinterpret_cast<uint8_t*>(out);
      out[words] = quantise_row(in_place ? operand.base + row * columns : gathered, columns, bytes);
      __builtin_memset(bytes + columns, 0, 4 * words - columns);
    }
  }
};

}  // namespace vtb::VTB_ISA
