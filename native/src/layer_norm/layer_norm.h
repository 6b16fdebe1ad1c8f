// The kernel of vtb_layer_norm.
#pragma once

#include <cstdint>

#include "vertebra.h"

namespace vtb {

struct LayerNormKernel {
  const char* name;
  void (*rows)(const vtb_layer_norm_args& args, int64_t begin, int64_t end);
};

namespace generic {
extern const LayerNormKernel layer_norm_f32;
}
namespace avx2 {
extern const LayerNormKernel layer_norm_f32;
}
namespace avx512 {
extern const LayerNormKernel layer_norm_f32;
}

}  // namespace vtb
