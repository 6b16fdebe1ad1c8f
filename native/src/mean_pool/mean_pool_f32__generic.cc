#include "simd/generic.h"

#include "mean_pool/mean_pool_f32.h"

const vtb::MeanPoolKernel vtb::mean_pool_f32_generic = {"mean_pool_f32__generic", generic::mean_pool};
