#include "simd/generic.h"

#include "sum/sum_f32.h"

namespace vtb::generic {

const SumKernel sum_f32 = {"sum_f32__generic", run_sum};

}  // namespace vtb::generic
