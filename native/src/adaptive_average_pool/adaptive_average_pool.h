// The kernel of vtb_adaptive_average_pool.
#pragma once

#include <cstdint>

#include "vertebra.h"

namespace vtb {

struct AdaptiveAveragePoolKernel {
  const char* name;
  // The mean of `rows` x `columns` neighbouring positions of a map; a row of the map has `stride` floats.
  void (*mean)(const float* in, int64_t stride, int32_t rows, int32_t columns, int32_t channels, float* out);
};

extern const AdaptiveAveragePoolKernel adaptive_average_pool_f32_generic, adaptive_average_pool_f32_avx2,
    adaptive_average_pool_f32_avx512;

}  // namespace vtb
