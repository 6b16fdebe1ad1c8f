#include "simd/avx2.h"

#include "adaptive_average_pool/adaptive_average_pool_f32.h"

const vtb::AdaptiveAveragePoolKernel vtb::adaptive_average_pool_f32_avx2 = {"adaptive_average_pool_f32__avx2",
                                                                            avx2::mean_of_positions};
