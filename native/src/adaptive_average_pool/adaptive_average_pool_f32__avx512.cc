#include "simd/avx512.h"

#include "adaptive_average_pool/adaptive_average_pool_f32.h"

const vtb::AdaptiveAveragePoolKernel vtb::adaptive_average_pool_f32_avx512 = {"adaptive_average_pool_f32__avx512",
                                                                              avx512::mean_of_positions};
