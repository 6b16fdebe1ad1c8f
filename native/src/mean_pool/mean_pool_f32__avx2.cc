#include "simd/avx2.h"

#include "mean_pool/mean_pool_f32.h"

const vtb::MeanPoolKernel vtb::mean_pool_f32_avx2 = {"mean_pool_f32__avx2", avx2::mean_pool};
