#include "simd/avx2.h"

#include "layer_norm/layer_norm_f32.h"

namespace vtb::avx2 {

const LayerNormKernel layer_norm_f32 = {"layer_norm_f32__avx2", layer_norm_rows};

}  // namespace vtb::avx2
