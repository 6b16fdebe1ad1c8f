#include "simd/avx512.h"

#include "measure/fma_f32.h"

namespace vtb::avx512 {

const FmaKernel fma_f32 = {"fma_f32__avx512", run_fma};

}  // namespace vtb::avx512
