#include "simd/avx2.h"

#include "affine/affine_f32.h"

namespace vtb::avx2 {

const AffineKernel affine_f32 = {"affine_f32__avx2", run_affine};

}  // namespace vtb::avx2
