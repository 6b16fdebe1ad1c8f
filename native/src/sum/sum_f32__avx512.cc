#include "simd/avx512.h"

#include "sum/sum_f32.h"

namespace vtb::avx512 {

const SumKernel sum_f32 = {"sum_f32__avx512", run_sum};

}  // namespace vtb::avx512
