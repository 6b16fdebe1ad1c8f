// Body of the Winograd transforms; included after a simd header.
#pragma once

#include "convolution/convolution.h"
#include "runtime/rounding.h"
#include "simd/math.h"
#include "simd/partial.h"

namespace vtb::VTB_ISA {

// Where a tile of outputs begins.
struct WinogradTile {
  int64_t image, y, x;
};

template <int tile>
static inline WinogradTile winograd_tile(const vtb_convolution_args& args, int64_t index) {
  const int64_t across = divide_up(args.width, tile), down = divide_up(args.height, tile);
  return {index / across / down, index / across % down * tile, index % across * tile};
}

template <int tile>
static inline WinogradTile next_tile(const vtb_convolution_args& args, WinogradTile at) {
  if ((at.x += tile) < args.width) return at;
  if ((at.y += tile) < args.height) return {at.image, at.y, 0};
  return {at.image + 1, 0, 0};
}

// The points of 4 x 4 outputs are 0, a, -a, b, -b and infinity: exact, as are their squares, cubes and products.
constexpr float winograd_a = 5 / 8.0f, winograd_b = 3 / 2.0f;

// B^T d for the points 0, 1, -1 and infinity, which are those of 2 x 2 outputs.
static inline void transform_inputs(const Vec (&d)[4], Vec (&t)[4]) {
  t[0] = d[2] - d[0];
  t[1] = d[2] + d[1];
  t[2] = d[2] - d[1];
  t[3] = d[3] - d[1];
}

// B^T d for 0, a, -a, b, -b and infinity.
static inline void transform_inputs(const Vec (&d)[6], Vec (&t)[6]) {
  constexpr float a = winograd_a, b = winograd_b;
  const Vec product = Vec::broadcast(a * a * b * b), minus_sum = Vec::broadcast(-(a * a + b * b));
  const Vec even_a = fma(Vec::broadcast(-b * b), d[2], d[4]), odd_a = fma(Vec::broadcast(-b * b), d[1], d[3]);
  const Vec even_b = fma(Vec::broadcast(-a * a), d[2], d[4]), odd_b = fma(Vec::broadcast(-a * a), d[1], d[3]);
  t[0] = fma(product, d[0], fma(minus_sum, d[2], d[4]));
  t[1] = fma(Vec::broadcast(a), odd_a, even_a);
  t[2] = fma(Vec::broadcast(-a), odd_a, even_a);
  t[3] = fma(Vec::broadcast(b), odd_b, even_b);
  t[4] = fma(Vec::broadcast(-b), odd_b, even_b);
  t[5] = fma(product, d[1], fma(minus_sum, d[3], d[5]));
}

// A^T m for the points 0, 1, -1 and infinity.
static inline void transform_products(const Vec (&m)[4], Vec (&y)[2]) {
  y[0] = m[0] + m[1] + m[2];
  y[1] = m[1] - m[2] + m[3];
}

// A^T m for 0, a, -a, b, -b and infinity.
static inline void transform_products(const Vec (&m)[6], Vec (&y)[4]) {
  constexpr float a = winograd_a, b = winograd_b;
  const Vec even_a = m[1] + m[2], odd_a = m[1] - m[2], even_b = m[3] + m[4], odd_b = m[3] - m[4];
  y[0] = m[0] + even_a + even_b;
  y[1] = fma(Vec::broadcast(a), odd_a, Vec::broadcast(b) * odd_b);
  y[2] = fma(Vec::broadcast(a * a), even_a, Vec::broadcast(b * b) * even_b);
  y[3] = fma(Vec::broadcast(a * a * a), odd_a, fma(Vec::broadcast(b * b * b), odd_b, m[5]));
}

// B^T d B of one vector of channels, two rows of it at a time, which is what registers hold: load(r, c) is an input of
// the tile, and position p goes to to + p * step.
template <int side, typename Load>
static inline __attribute__((always_inline)) void transform_tile(const Load& load, float* to, int64_t step) {
#pragma GCC unroll 3
  for (int pair = 0; pair < side / 2; ++pair) {
    // Rows of opposite points share their terms.
    const int rows[2] = {pair == 0 ? 0 : 2 * pair - 1, pair == 0 ? side - 1 : 2 * pair};
    Vec half[2][side];
#pragma GCC unroll 6
    for (int c = 0; c < side; ++c) {
      Vec d[side], t[side];
#pragma GCC unroll 6
      for (int r = 0; r < side; ++r) d[r] = load(r, c);
      transform_inputs(d, t);
      half[0][c] = t[rows[0]];
      half[1][c] = t[rows[1]];
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      Vec t[side];
      transform_inputs(half[i], t);
#pragma GCC unroll 6
      for (int c = 0; c < side; ++c) t[c].store(to + (rows[i] * side + c) * step);
    }
  }
}

// B^T d B over the inputs of each tile.
template <int tile>
static void transform_in(const vtb_convolution_args& args, int64_t begin, int64_t end, const float* zeros, float* out,
                         int64_t stride) {
  constexpr int side = tile + 2;
  const int64_t channels = args.in_channels, step = (end - begin) * stride;
  WinogradTile at = winograd_tile<tile>(args, begin);
  for (int64_t index = begin; index < end; ++index, at = next_tile<tile>(args, at), out += stride) {
    const float* from[side][side];
    for (int64_t r = 0; r < side; ++r) {
      const int64_t y = at.y + r - 1;
      const int64_t row = (at.image * args.height + y) * args.width;
      for (int64_t c = 0; c < side; ++c) {
        const int64_t x = at.x + c - 1;
        const bool inside = y >= 0 && y < args.height && x >= 0 && x < args.width;
        from[r][c] = inside ? args.in + (row + x) * channels : zeros;
      }
    }
    int64_t channel = 0;
    for (; channel + Vec::width <= channels; channel += Vec::width) {
      transform_tile<side>([&](int r, int c) { return Vec::load(from[r][c] + channel); }, out + channel, step);
    }
    if (channel < channels) {
      const int left = static_cast<int>(channels - channel);
      transform_tile<side>([&](int r, int c) { return Vec::load_partial(from[r][c] + channel, left); }, out + channel,
                           step);
    }
  }
}

// A^T m A, bias and activation, to the outputs of each tile that exist.
template <int tile>
static void transform_out(const vtb_convolution_args& args, int64_t begin, int64_t end, const float* products,
                          int64_t stride, int32_t channel, int32_t columns) {
  constexpr int side = tile + 2;
  const int64_t step = (end - begin) * stride, row_floats = int64_t{args.width} * args.channels;
  const bool plain = args.activation == VTB_IDENTITY || args.activation == VTB_RELU;
  const Vec floor = Vec::broadcast(args.activation == VTB_RELU ? 0 : -__builtin_inff());
  WinogradTile at = winograd_tile<tile>(args, begin);
  for (int64_t index = begin; index < end; ++index, at = next_tile<tile>(args, at), products += stride) {
    const int64_t rows = args.height - at.y, across = args.width - at.x;
    float* out = args.out + ((at.image * args.height + at.y) * args.width + at.x) * args.channels + channel;
    for (int32_t j = 0; j < columns; j += Vec::width) {
      const int64_t left = columns - j;
      const Vec bias = args.bias ? load_up_to(args.bias + channel + j, left) : Vec::zero();
      // Every other row, which share their terms: half of the rows is what registers hold.
#pragma GCC unroll 2
      for (int first = 0; first < tile / 2; ++first) {
        Vec half[2][side];
#pragma GCC unroll 6
        for (int c = 0; c < side; ++c) {
          Vec m[side], y[tile];
#pragma GCC unroll 6
          for (int r = 0; r < side; ++r) m[r] = Vec::load(products + j + (r * side + c) * step);
          transform_products(m, y);
          half[0][c] = y[first];
          half[1][c] = y[first + tile / 2];
        }
#pragma GCC unroll 2
        for (int i = 0; i < 2; ++i) {
          const int r = first + i * tile / 2;
          Vec y[tile];
          transform_products(half[i], y);
#pragma GCC unroll 4
          for (int c = 0; c < tile; ++c) {
            if (r >= rows || c >= across) continue;
            store_up_to(max(floor, y[c] + bias), out + r * row_floats + c * args.channels + j, left);
          }
        }
      }
    }
    for (int64_t pixel = 0; pixel < tile * tile && !plain; ++pixel) {
      if (pixel / tile >= rows || pixel % tile >= across) continue;
      float* y = out + pixel / tile * row_floats + pixel % tile * args.channels;
      for (int32_t j = 0; j < columns; j += Vec::width) {
        store_up_to(activate(args.activation, load_up_to(y + j, columns - j)), y + j, columns - j);
      }
    }
  }
}

}  // namespace vtb::VTB_ISA
