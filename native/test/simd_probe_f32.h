// Body of the probe; included after a simd header.
#pragma once

#include "simd/fast_activations.h"
#include "simd/math.h"
#include "simd/partial.h"
#include "simd_probe.h"

namespace vtb::VTB_ISA {

static void vocabulary(const float* pa, const float* pb, const float* pc, const int32_t* integers,
                       test::VocabularyResults* out) {
  const Vec a = Vec::load(pa), b = Vec::load(pb), c = Vec::load(pc);
  (a + b).store(out->add);
  (a - b).store(out->subtract);
  (a * b).store(out->multiply);
  (a / b).store(out->divide);
  fma(a, b, c).store(out->fma);
  fma_exact_product(a, b, c).store(out->fma_exact_product);
  max(a, b).store(out->max);
  min(a, b).store(out->min);
  abs(a).store(out->abs);
  round_to_nearest(a).store(out->round);
  scale_by_power_of_two(a, round_to_nearest(b)).store(out->scale);
  blend(less(a, b), a, c).store(out->less);
  blend(equal(a, b), a, c).store(out->equal);
  Vec::load(integers).store(out->integers);
  out->sum = reduce_add(a);
  out->largest = reduce_max(a);
}

static void copy_partial(const float* in, int n, float* out) { Vec::load_partial(in, n).store_partial(out, n); }

static void convert_partial(const int32_t* in, int n, float* out) { Vec::load_partial(in, n).store_partial(out, n); }

static void keep_first_lanes(const float* in, int n, float* out) {
  blend(first_lanes(n), Vec::load(in), Vec::broadcast(-1)).store(out);
}

static void exp_all(const float* in, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i += Vec::width) exp(Vec::load(in + i)).store(out + i);
}

static void fast_exp_all(const float* in, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i += Vec::width) {
    Vec x[] = {Vec::load(in + i)};
    fast_exp(x);
    x[0].store(out + i);
  }
}

static void activate_all(int32_t activation, const float* in, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i += Vec::width) activate(activation, Vec::load(in + i)).store(out + i);
}

static void gelu_for_bf16_all(const float* in, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i += Vec::width) gelu_for_bf16(Vec::load(in + i)).store(out + i);
}

static void fast_gelu_all(const float* in, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i += Vec::width) fast_gelu(Vec::load(in + i)).store(out + i);
}

static void fast_silu_all(const float* in, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i += Vec::width) fast_silu(Vec::load(in + i)).store(out + i);
}

static void round_to_bf16(const float* in, int n, uint16_t* out) { store_up_to(Vec::load(in), out, n); }

static void split_pairs(const float* pairs, float* lower, float* upper) {
  lower_bf16(Vec::load(pairs)).store(lower);
  upper_bf16(Vec::load(pairs)).store(upper);
}

static void quantise(const float* in, int n, uint8_t* out) { store_up_to(Vec::load(in), out, n); }

static void dot_bytes(const uint8_t* a, const int8_t* b, int32_t* sums, float* converted) {
  float words[3][Vec::width];
  __builtin_memcpy(words[0], a, sizeof words[0]);
  __builtin_memcpy(words[1], b, sizeof words[1]);
  __builtin_memcpy(words[2], sums, sizeof words[2]);
  const Vec total = dot_bytes(Vec::load(words[0]), Vec::load(words[1]), Vec::load(words[2]));
  total.store(words[2]);
  __builtin_memcpy(sums, words[2], sizeof words[2]);
  from_int32(total).store(converted);
}

}  // namespace vtb::VTB_ISA
