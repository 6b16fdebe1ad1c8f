#include "simd/avx512.h"

#include "sum/sum_f32.h"

const vtb::SumKernel vtb::sum_f32_avx512 = {"sum_f32__avx512", avx512::run_sum};
