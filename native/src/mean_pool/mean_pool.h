// The kernel of vtb_mean_pool.
#pragma once

#include <cstdint>

#include "vertebra.h"

namespace vtb {

struct MeanPoolKernel {
  const char* name;
  // out[c] = mean over t of in[t * stride + c], for c < channels.
  void (*mean)(const float* in, int64_t stride, int32_t tokens, int32_t channels, float* out);
};

extern const MeanPoolKernel mean_pool_f32_generic, mean_pool_f32_avx2, mean_pool_f32_avx512;

}  // namespace vtb
