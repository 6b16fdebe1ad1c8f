#include "simd/avx2.h"

#include "resize/resize_f32.h"

namespace vtb::avx2 {

const ResizeKernel resize_f32 = {"resize_f32__avx2", mean_of_positions, interpolate};

}  // namespace vtb::avx2
