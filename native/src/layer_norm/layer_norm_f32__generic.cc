#include "simd/generic.h"

#include "layer_norm/layer_norm_f32.h"

const vtb::LayerNormKernel vtb::layer_norm_f32_generic = {"layer_norm_f32__generic", generic::layer_norm_rows};
