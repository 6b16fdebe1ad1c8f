#include "simd/avx512.h"

#include "affine/affine_f32.h"

namespace vtb::avx512 {

const AffineKernel affine_f32 = {"affine_f32__avx512", run_affine};

}  // namespace vtb::avx512
