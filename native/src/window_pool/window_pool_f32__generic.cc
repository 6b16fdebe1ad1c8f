#include "simd/generic.h"

#include "window_pool/window_pool_f32.h"

namespace vtb::generic {

const WindowPoolKernel window_pool_f32 = {"window_pool_f32__generic", pool_row};

}  // namespace vtb::generic
