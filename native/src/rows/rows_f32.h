// Reading rows of an operand; included after a simd header.
#pragma once

#include "rows/rows.h"

namespace vtb::VTB_ISA {

static inline void zero_floats(float* out, int32_t count) {
  int32_t i = 0;
  for (; i + Vec::width <= count; i += Vec::width) Vec::zero().store(out + i);
  Vec::zero().store_partial(out + i, count - i);
}

static inline void copy_floats(const float* in, int32_t count, float* out) {
  int32_t i = 0;
  for (; i + Vec::width <= count; i += Vec::width) Vec::load(in + i).store(out + i);
  Vec::load_partial(in + i, count - i).store_partial(out + i, count - i);
}

// LayerNorm of one row (J. L. Ba et al., arXiv 1607.06450), biased variance. Two passes for the statistics: the mean,
// then the centred squares, as E[x^2] - mean^2 would cancel. The row is in L1 after the first. `out` may equal `in`.
static inline void normalise_row(const float* in, int32_t columns, const float* gamma, const float* beta, float eps,
                                 float* out) {
  constexpr int w = Vec::width;
  const float count = static_cast<float>(columns);
  const int32_t whole = columns - columns % w;
  const int tail = columns - whole;
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
  const Vec mean = Vec::broadcast(reduce_add((s0 + s1) + (s2 + s3)) / count);

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
  const Vec inverse = Vec::broadcast(1.0f / __builtin_sqrtf(reduce_add((s0 + s1) + (s2 + s3)) / count + eps));

  for (i = 0; i < whole; i += w) {
    const Vec x = (Vec::load(in + i) - mean) * inverse;
    fma(x, Vec::load(gamma + i), Vec::load(beta + i)).store(out + i);
  }
  if (tail) {
    const Vec x = (Vec::load_partial(in + whole, tail) - mean) * inverse;
    fma(x, Vec::load_partial(gamma + whole, tail), Vec::load_partial(beta + whole, tail))
        .store_partial(out + whole, tail);
  }
}

// Writes row `row` of the operand to out[0, columns). `out` may be the row's own memory where there is no map.
static inline void read_row(const RowOperand& operand, int64_t row, float* out) {
  const float* in = out;
  if (operand.groups == 1) {
    const int64_t source = operand.map ? operand.map[row] : row;
    if (source < 0) {
      zero_floats(out, operand.columns);
      return;
    }
    in = operand.base + source * operand.columns;
  } else {
    const int32_t segment = operand.columns / operand.groups;
    const int32_t* sources = operand.map + row * operand.groups;
    for (int32_t g = 0; g < operand.groups; ++g) {
      if (sources[g] < 0) {
        zero_floats(out + g * segment, segment);
      } else {
        copy_floats(operand.base + static_cast<int64_t>(sources[g]) * segment, segment, out + g * segment);
      }
    }
  }
  if (operand.gamma) {
    normalise_row(in, operand.columns, operand.gamma, operand.beta, operand.eps, out);
  } else if (in != out) {
    copy_floats(in, operand.columns, out);
  }
}

}  // namespace vtb::VTB_ISA
