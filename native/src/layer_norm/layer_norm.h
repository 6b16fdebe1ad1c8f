// The kernel of vtb_layer_norm.
#pragma once

#include <cstdint>

#include "vertebra.h"

namespace vtb {

struct LayerNormKernel {
  const char* name;
  void (*rows)(const vtb_layer_norm_args& args, int64_t begin, int64_t end);
};

extern const LayerNormKernel layer_norm_f32_generic, layer_norm_f32_avx2, layer_norm_f32_avx512;

}  // namespace vtb
