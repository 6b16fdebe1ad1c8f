#include "simd/generic.h"

#include "resize/resize_f32.h"

namespace vtb::generic {

const ResizeKernel resize_f32 = {"resize_f32__generic", mean_of_positions, interpolate};

}  // namespace vtb::generic
