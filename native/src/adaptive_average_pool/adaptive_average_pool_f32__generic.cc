#include "simd/generic.h"

#include "adaptive_average_pool/adaptive_average_pool_f32.h"

const vtb::AdaptiveAveragePoolKernel vtb::adaptive_average_pool_f32_generic = {"adaptive_average_pool_f32__generic",
                                                                               generic::mean_of_positions};
