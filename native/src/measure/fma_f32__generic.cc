#include "simd/generic.h"

#include "measure/fma_f32.h"

namespace vtb::generic {

const FmaKernel fma_f32 = {"fma_f32__generic", run_fma};

}  // namespace vtb::generic
