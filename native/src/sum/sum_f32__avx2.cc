#include "simd/avx2.h"

#include "sum/sum_f32.h"

namespace vtb::avx2 {

const SumKernel sum_f32 = {"sum_f32__avx2", run_sum};

}  // namespace vtb::avx2
