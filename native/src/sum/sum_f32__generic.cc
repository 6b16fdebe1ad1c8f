#include "simd/generic.h"

#include "sum/sum_f32.h"

const vtb::SumKernel vtb::sum_f32_generic = {"sum_f32__generic", generic::run_sum};
