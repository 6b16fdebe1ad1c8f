#include "simd/avx512.h"

#include "layer_norm/layer_norm_f32.h"

namespace vtb::avx512 {

const LayerNormKernel layer_norm_f32 = {"layer_norm_f32__avx512", layer_norm_rows};

}  // namespace vtb::avx512
