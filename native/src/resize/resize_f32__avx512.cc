#include "simd/avx512.h"

#include "resize/resize_f32.h"

namespace vtb::avx512 {

const ResizeKernel resize_f32 = {"resize_f32__avx512", mean_of_positions, interpolate};

}  // namespace vtb::avx512
