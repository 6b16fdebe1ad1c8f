#include "simd/generic.h"

#include "affine/affine_f32.h"

namespace vtb::generic {

const AffineKernel affine_f32 = {"affine_f32__generic", run_affine};

}  // namespace vtb::generic
