#include "simd/avx512.h"

#include "layer_norm/layer_norm_f32.h"

const vtb::LayerNormKernel vtb::layer_norm_f32_avx512 = {"layer_norm_f32__avx512", avx512::layer_norm_rows};
