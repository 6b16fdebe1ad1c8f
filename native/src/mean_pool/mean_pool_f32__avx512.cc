#include "simd/avx512.h"

#include "mean_pool/mean_pool_f32.h"

const vtb::MeanPoolKernel vtb::mean_pool_f32_avx512 = {"mean_pool_f32__avx512", avx512::mean_pool};
