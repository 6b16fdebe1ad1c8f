// A GEMM tile of 32 x 32 in two by two tile registers; included after a simd header. Tiles is what simd/amx.h declares,
// and Arithmetic as of register tiles, with a dot product of tiles instead of one of words.
#pragma once

#include "gemm/epilogue.h"

namespace vtb::VTB_ISA {

// Rows 16 and on only if `both`. What the sums start as is a row read 16 times.
template <typename Arithmetic, typename Tiles, bool both>
static void multiply_tiles(const GemmTile& tile) {
  constexpr int side = 16, nr = 2 * side;
  alignas(64) float sums[nr * nr];
  for (int j = 0; j < nr; j += Vec::width) Arithmetic::template start<nr>(tile, j).store(sums + j);
  Tiles::template load<0>(sums, 0);
  Tiles::template load<1>(sums + side, 0);
  if (both) {
    Tiles::template load<2>(sums, 0);
    Tiles::template load<3>(sums + side, 0);
  }
  const float* a = tile.a;
  const float* panel = tile.panel;
  const char* next = tile.next;
  for (int32_t words = tile.words; words > 0; words -= side, a += side, panel += side * nr) {
    Tiles::template load<6>(panel, nr);
    Tiles::template load<7>(panel + side, nr);
    Tiles::template load<4>(a, tile.a_stride);
    Arithmetic::template dot<Tiles, 0, 4, 6>();
    Arithmetic::template dot<Tiles, 1, 4, 7>();
    if (both) {
      Tiles::template load<5>(a + side * tile.a_stride, tile.a_stride);
      Arithmetic::template dot<Tiles, 2, 5, 6>();
      Arithmetic::template dot<Tiles, 3, 5, 7>();
    }
    for (int32_t line = 0; line < tile.next_lines; ++line, next += 64) __builtin_prefetch(next, 0, 2);
  }
  Tiles::template store<0>(sums, nr);
  Tiles::template store<1>(sums + side, nr);
  if (both) {
    Tiles::template store<2>(sums + side * nr, nr);
    Tiles::template store<3>(sums + side * nr + side, nr);
  }
  if constexpr (Arithmetic::k_per_word == 4) {  // whose product is more than the sum
    for (int i = 0; i < tile.rows; ++i) {
      for (int j = 0; j < nr; j += Vec::width) {
        float* sum = sums + i * nr + j;
        Arithmetic::template product<nr>(tile, i, j, Vec::load(sum)).store(sum);
      }
    }
  }
  finish_tile<Arithmetic>(tile, sums, nr);
}

template <typename Arithmetic, typename Tiles>
static void multiply_tiles(const GemmTile& tile) {
  if (tile.rows > 16) {
    multiply_tiles<Arithmetic, Tiles, true>(tile);
  } else {
    multiply_tiles<Arithmetic, Tiles, false>(tile);
  }
}

template <typename Arithmetic, typename Tiles>
static constexpr GemmKernel tile_registers(const char* name) {
  return {name,
          32,
          32,
          16,
          Arithmetic::k_per_word,
          16,
          16,
          multiply_tiles<Arithmetic, Tiles>,
          Arithmetic::stage_rows,
          Tiles::configure,
          Tiles::release};
}

}  // namespace vtb::VTB_ISA
