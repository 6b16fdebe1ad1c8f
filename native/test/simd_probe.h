// Vec's vocabulary as plain functions, one set a level, so that a test compiled for any machine can call it.
#pragma once

#include <cstdint>

namespace vtb::test {

struct VocabularyResults {
  float add[16], subtract[16], multiply[16], divide[16], fma[16], fma_exact_product[16], max[16], min[16], abs[16];
  float round[16], scale[16], less[16], equal[16], integers[16];
  float sum, largest;
};

struct SimdProbe {
  int width;
  // Each operation on one vector of a, b, c; scale is a * 2^round(b); less and equal choose a where they hold, else c.
  void (*vocabulary)(const float* a, const float* b, const float* c, const int32_t* integers, VocabularyResults* out);
  void (*copy_partial)(const float* in, int n, float* out);
  void (*convert_partial)(const int32_t* in, int n, float* out);
  void (*keep_first_lanes)(const float* in, int n, float* out);  // the other lanes become -1
  // Element by element; count is a multiple of the width.
  void (*exp)(const float* in, int64_t count, float* out);
  void (*fast_exp)(const float* in, int64_t count, float* out);
  void (*activate)(int32_t activation, const float* in, int64_t count, float* out);
  void (*fast_gelu)(const float* in, int64_t count, float* out);
  void (*fast_silu)(const float* in, int64_t count, float* out);
  void (*gelu_for_bf16)(const float* in, int64_t count, float* out);
  // Of a vector rounded to bf16 the first n lanes.
  void (*round_to_bf16)(const float* in, int n, uint16_t* out);
  void (*split_pairs)(const float* pairs, float* lower, float* upper);
  // Of a quantised vector the first n lanes.
  void (*quantise)(const float* in, int n, uint8_t* out);
  // Dot products of unsigned with signed bytes, four a lane, onto sums; and what the sums are as floats.
  void (*dot_bytes)(const uint8_t* a, const int8_t* b, int32_t* sums, float* converted);
};

extern const SimdProbe simd_generic, simd_avx2, simd_avx512, simd_avx512_vnni, simd_avx512_bf16;

// The probe of the level in use.
const SimdProbe& simd();

}  // namespace vtb::test
