#include "simd/avx2.h"

#include "measure/fma_f32.h"

namespace vtb::avx2 {

const FmaKernel fma_f32 = {"fma_f32__avx2", run_fma};

}  // namespace vtb::avx2
