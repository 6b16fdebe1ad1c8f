#include "simd/avx2.h"

#include "sum/sum_f32.h"

const vtb::SumKernel vtb::sum_f32_avx2 = {"sum_f32__avx2", avx2::run_sum};
