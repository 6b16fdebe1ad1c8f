// A GEMM tile of 32 x 32 in two by two tile registers; included after a simd header. Tiles is what simd/amx.h declares.
#pragma once

#include "gemm/gemm_bf16.h"

namespace vtb::VTB_ISA {

// Rows 16 and on only if `both`. The sums start as the bias, a row of it read 16 times.
template <typename Tiles, bool both>
static void multiply_tiles(const GemmTile& tile) {
  constexpr int side = 16, nr = 2 * side;
  alignas(64) float sums[nr * nr];
  for (int j = 0; j < nr; j += Vec::width) {
    const int left = tile.columns - j;
    (tile.bias && left > 0 ? load_up_to(tile.bias + j, left) : Vec::zero()).store(sums + j);
  }
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
    Tiles::template dot<0, 4, 6>();
    Tiles::template dot<1, 4, 7>();
    if (both) {
      Tiles::template load<5>(a + side * tile.a_stride, tile.a_stride);
      Tiles::template dot<2, 5, 6>();
      Tiles::template dot<3, 5, 7>();
    }
    for (int32_t line = 0; line < tile.next_lines; ++line, next += 64) __builtin_prefetch(next, 0, 2);
  }
  Tiles::template store<0>(sums, nr);
  Tiles::template store<1>(sums + side, nr);
  if (both) {
    Tiles::template store<2>(sums + side * nr, nr);
    Tiles::template store<3>(sums + side * nr + side, nr);
  }
  finish_tile<Bf16>(tile, sums, nr);
}

template <typename Tiles>
static void multiply_tiles(const GemmTile& tile) {
  if (tile.rows > 16) {
    multiply_tiles<Tiles, true>(tile);
  } else {
    multiply_tiles<Tiles, false>(tile);
  }
}

template <typename Tiles>
static constexpr GemmKernel tiles_kernel(const char* name) {
  return {name, 32, 32, 16, 2, 16, 16, multiply_tiles<Tiles>, stage_bf16_rows, Tiles::configure, Tiles::release};
}

}  // namespace vtb::VTB_ISA
