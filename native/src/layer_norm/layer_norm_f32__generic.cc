#include "simd/generic.h"

#include "layer_norm/layer_norm_f32.h"

namespace vtb::generic {

const LayerNormKernel layer_norm_f32 = {"layer_norm_f32__generic", layer_norm_rows};

}  // namespace vtb::generic
