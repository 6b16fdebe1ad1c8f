#include "simd/avx2.h"

#include "layer_norm/layer_norm_f32.h"

const vtb::LayerNormKernel vtb::layer_norm_f32_avx2 = {"layer_norm_f32__avx2", avx2::layer_norm_rows};
