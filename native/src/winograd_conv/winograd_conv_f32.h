// Body of the Winograd transforms; included after a simd header.
#pragma once

#include "simd/math.h"
#include "simd/partial.h"
#include "winograd_conv/winograd_conv.h"

namespace vtb::VTB_ISA {

// Where a tile of 2 x 2 outputs begins.
struct WinogradTile {
  int64_t image, y, x;
};

static inline WinogradTile winograd_tile(const vtb_winograd_conv_args& args, int64_t index) {
  const int64_t across = (args.width + 1) / 2, down = (args.height + 1) / 2;
  return {index / across / down, index / across % down * 2, index % across * 2};
}

// B^T d B over the 4 x 4 inputs of each tile.
static void transform_in(const vtb_winograd_conv_args& args, int64_t begin, int64_t end, float* out, int64_t stride) {
  const int64_t channels = args.in_channels, tiles = end - begin;
  for (int64_t index = begin; index < end; ++index) {
    const WinogradTile tile = winograd_tile(args, index);
    const float* rows[4][4];  // null: padding
    for (int64_t r = 0; r < 4; ++r) {
      for (int64_t c = 0; c < 4; ++c) {
        const int64_t y = tile.y + r - 1, x = tile.x + c - 1;
        const bool inside = y >= 0 && y < args.height && x >= 0 && x < args.width;
        rows[r][c] = inside ? args.in + ((tile.image * args.height + y) * args.width + x) * channels : nullptr;
      }
    }
    for (int64_t channel = 0; channel < channels; channel += Vec::width) {
      const int64_t left = channels - channel;
      const auto load = [&](int r, int c) {
        return rows[r][c] ? load_up_to(rows[r][c] + channel, left) : Vec::zero();
      };
      Vec t[4][4];
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) {
        const Vec d0 = load(0, c), d1 = load(1, c), d2 = load(2, c), d3 = load(3, c);
        t[0][c] = d0 - d2;
        t[1][c] = d1 + d2;
        t[2][c] = d2 - d1;
        t[3][c] = d1 - d3;
      }
      float* to = out + (index - begin) * stride + channel;
      const auto store = [&](int position, Vec v) { store_up_to(v, to + position * tiles * stride, left); };
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) {
        store(4 * r, t[r][0] - t[r][2]);
        store(4 * r + 1, t[r][1] + t[r][2]);
        store(4 * r + 2, t[r][2] - t[r][1]);
        store(4 * r + 3, t[r][1] - t[r][3]);
      }
    }
  }
}

// A^T m A, bias and activation, to the 2 x 2 outputs of each tile that exist.
static void transform_out(const vtb_winograd_conv_args& args, int64_t begin, int64_t end, const float* products,
                          int64_t stride, int32_t channel, int32_t columns) {
  const int64_t tiles = end - begin;
  for (int64_t index = begin; index < end; ++index) {
    const WinogradTile tile = winograd_tile(args, index);
    const bool second_row = tile.y + 1 < args.height, second_column = tile.x + 1 < args.width;
    float* out = args.out + ((tile.image * args.height + tile.y) * args.width + tile.x) * args.channels + channel;
    const int64_t row_floats = int64_t{args.width} * args.channels;
    for (int32_t j = 0; j < columns; j += Vec::width) {
      const int64_t left = columns - j;
      const float* from = products + (index - begin) * stride + j;
      const auto load = [&](int position) { return load_up_to(from + position * tiles * stride, left); };
      Vec t[2][4];
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) {
        const Vec m1 = load(4 + c), m2 = load(8 + c);
        t[0][c] = load(c) + m1 + m2;
        t[1][c] = m1 - m2 - load(12 + c);
      }
      const Vec bias = args.bias ? load_up_to(args.bias + channel + j, left) : Vec::zero();
      const auto store = [&](Vec y, int64_t offset) {
        store_up_to(activate(args.activation, y + bias), out + offset + j, left);
      };
      store(t[0][0] + t[0][1] + t[0][2], 0);
      if (second_column) store(t[0][1] - t[0][2] - t[0][3], args.channels);
      if (!second_row) continue;
      store(t[1][0] + t[1][1] + t[1][2], row_floats);
      if (second_column) store(t[1][1] - t[1][2] - t[1][3], row_floats + args.channels);
    }
  }
}

}  // namespace vtb::VTB_ISA
