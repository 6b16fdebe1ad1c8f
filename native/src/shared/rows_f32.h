// Reading rows of an operand; included after a simd header. Out is float, or uint16_t: bf16, rounded.
#pragma once

#include "runtime/rounding.h"
#include "shared/rows.h"
#include "simd/partial.h"

namespace vtb::VTB_ISA {

template <typename Out>
static inline void zero_row(Out* out, int32_t count) {
  int32_t i = 0;
  for (; i + Vec::width <= count; i += Vec::width) Vec::zero().store(out + i);
  Vec::zero().store_partial(out + i, count - i);
}

template <typename Out>
static inline void copy_row(const float* in, int32_t count, Out* out) {
  constexpr int w = Vec::width;
  if (count < w) return Vec::load_partial(in, count).store_partial(out, count);
  for (int32_t i = 0; i < count - w; i += w) Vec::load(in + i).store(out + i);
  Vec::load(in + count - w).store(out + count - w);
}

// LayerNorm (J. L. Ba et al., arXiv 1607.06450), biased variance. Two passes for the statistics: the mean, then the
// centred squares, as E[x^2] - mean^2 would cancel. A normalised row may replace the row it is made of.
struct Norm {
  int32_t columns;
  float share;  // 1 / columns
  const float* gamma;
  const float* beta;
  float eps;
};

static inline Vec reciprocal_deviation(const Norm& norm, Vec squares) {
  return Vec::broadcast(1.0f / __builtin_sqrtf(reduce_add(squares) * norm.share + norm.eps));
}

// A row of so many vectors, the last perhaps partial, that stays in registers.
template <int vectors, typename Out>
static void normalise_short_row(const Norm& norm, const float* in, Out* out) {
  constexpr int w = Vec::width, last = vectors - 1;
  const int tail = norm.columns - last * w;
  Vec x[vectors];
  Vec sums[2] = {Vec::zero(), Vec::zero()};
#pragma GCC unroll 16
  for (int i = 0; i < vectors; ++i) {
    x[i] = i < last ? Vec::load(in + i * w) : load_up_to(in + i * w, tail);
    sums[i % 2] = sums[i % 2] + x[i];
  }
  const Vec mean = Vec::broadcast(reduce_add(sums[0] + sums[1]) * norm.share);
  sums[0] = sums[1] = Vec::zero();
#pragma GCC unroll 16
  for (int i = 0; i < vectors; ++i) {
    x[i] = x[i] - mean;
    if (i == last && tail < w) x[i] = blend(first_lanes(tail), x[i], Vec::zero());
    sums[i % 2] = fma(x[i], x[i], sums[i % 2]);
  }
  const Vec inverse = reciprocal_deviation(norm, sums[0] + sums[1]);
#pragma GCC unroll 16
  for (int i = 0; i < last; ++i) {
    fma(x[i] * inverse, Vec::load(norm.gamma + i * w), Vec::load(norm.beta + i * w)).store(out + i * w);
  }
  const Vec gamma = load_up_to(norm.gamma + last * w, tail), beta = load_up_to(norm.beta + last * w, tail);
  store_up_to(fma(x[last] * inverse, gamma, beta), out + last * w, tail);
}

// A row that is in L1 after the first pass.
template <typename Out>
static void normalise_long_row(const Norm& norm, const float* in, Out* out) {
  constexpr int w = Vec::width;
  const int32_t whole = norm.columns - norm.columns % w;
  const int tail = norm.columns - whole;
  // Four sums, so that a row is not one chain of dependent additions.
  Vec s0 = Vec::zero(), s1 = s0, s2 = s0, s3 = s0;
  int32_t i = 0;
  for (; i + 4 * w <= whole; i += 4 * w) {
    s0 = s0 + Vec::load(in + i);
    s1 = s1 + Vec::load(in + i + w);
    s2 = s2 + Vec::load(in + i + 2 * w);
    s3 = s3 + Vec::load(in + i + 3 * w);
  }
  for (; i < whole; i += w) s0 = s0 + Vec::load(in + i);
  if (tail) s1 = s1 + Vec::load_partial(in + whole, tail);
  const Vec mean = Vec::broadcast(reduce_add((s0 + s1) + (s2 + s3)) * norm.share);

  s0 = s1 = s2 = s3 = Vec::zero();
  for (i = 0; i + 4 * w <= whole; i += 4 * w) {
    const Vec d0 = Vec::load(in + i) - mean, d1 = Vec::load(in + i + w) - mean;
    const Vec d2 = Vec::load(in + i + 2 * w) - mean, d3 = Vec::load(in + i + 3 * w) - mean;
    s0 = fma(d0, d0, s0);
    s1 = fma(d1, d1, s1);
    s2 = fma(d2, d2, s2);
    s3 = fma(d3, d3, s3);
  }
  for (; i < whole; i += w) {
    const Vec d = Vec::load(in + i) - mean;
    s0 = fma(d, d, s0);
  }
  if (tail) {
    const Vec d = blend(first_lanes(tail), Vec::load_partial(in + whole, tail) - mean, Vec::zero());
    s1 = fma(d, d, s1);
  }
  const Vec inverse = reciprocal_deviation(norm, (s0 + s1) + (s2 + s3));

  for (i = 0; i < whole; i += w) {
    const Vec x = (Vec::load(in + i) - mean) * inverse;
    fma(x, Vec::load(norm.gamma + i), Vec::load(norm.beta + i)).store(out + i);
  }
  if (tail) {
    const Vec x = (Vec::load_partial(in + whole, tail) - mean) * inverse;
    fma(x, Vec::load_partial(norm.gamma + whole, tail), Vec::load_partial(norm.beta + whole, tail))
        .store_partial(out + whole, tail);
  }
}

template <typename Out>
using NormaliseRow = void (*)(const Norm& norm, const float* in, Out* out);

template <typename Out>
static inline NormaliseRow<Out> find_normalise_row(int32_t columns) {
  static constexpr NormaliseRow<Out> short_rows[] = {
      normalise_short_row<1, Out>,  normalise_short_row<2, Out>,  normalise_short_row<3, Out>,
      normalise_short_row<4, Out>,  normalise_short_row<5, Out>,  normalise_short_row<6, Out>,
      normalise_short_row<7, Out>,  normalise_short_row<8, Out>,  normalise_short_row<9, Out>,
      normalise_short_row<10, Out>, normalise_short_row<11, Out>, normalise_short_row<12, Out>};
  const int64_t vectors = divide_up(columns, Vec::width);
  return vectors <= 12 ? short_rows[vectors - 1] : normalise_long_row<Out>;
}

// Writes the segments that sources[0, groups) name, -1 for zeros, one after the other. Neighbours in the operand, such
// as the taps of a row of a convolution's window, are copied as one.
template <typename Out>
static inline void gather_segments(const float* base, const int32_t* sources, int32_t groups, int32_t segment,
                                   Out* out) {
  for (int32_t g = 0; g < groups;) {
    const int32_t first = g, source = sources[g], step = source < 0 ? 0 : 1;
    for (++g; g < groups && sources[g] == sources[g - 1] + step; ++g) {
    }
    const int32_t count = (g - first) * segment;
    if (source < 0) {
      zero_row(out, count);
    } else {
      copy_row(base + int64_t{source} * segment, count, out);
    }
    out += count;
  }
}

// Writes rows [begin, end) of the operand to out, `stride` elements apart. `out` may be the rows' own memory where
// there is no map. What is both gathered and normalised waits in between in `gathered`, [columns], if rows become bf16.
template <typename Out>
static void read_rows(const RowOperand& operand, int64_t begin, int64_t end, Out* out, int64_t stride,
                      float* gathered) {
  const int32_t columns = operand.columns, groups = operand.groups;
  const Norm norm = {columns, 1.0f / static_cast<float>(columns), operand.gamma, operand.beta, operand.eps};
  const NormaliseRow<Out> normalise_row = find_normalise_row<Out>(columns);
  for (int64_t row = begin; row < end; ++row, out += stride) {
    const float* in;
    if (groups == 1) {
      const int64_t source = operand.map ? operand.map[row] : row;
      if (source < 0) {
        zero_row(out, columns);
        continue;
      }
      in = operand.base + source * columns;
      if (!operand.gamma) {
        if (static_cast<const void*>(in) != out) copy_row(in, columns, out);
        continue;
      }
    } else {
      const int32_t* sources = operand.map + row * groups;
      if (!operand.gamma) {
        gather_segments(operand.base, sources, groups, columns / groups, out);
        continue;
      }
      float* whole = gathered;
      if constexpr (sizeof(Out) == sizeof(float)) whole = out;
      gather_segments(operand.base, sources, groups, columns / groups, whole);
      in = whole;
    }
    normalise_row(norm, in, out);
  }
}

}  // namespace vtb::VTB_ISA
