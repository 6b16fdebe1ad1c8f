#include "simd/generic.h"

#include "window_pool/window_pool_f32.h"

const vtb::WindowPoolKernel vtb::window_pool_f32_generic = {"window_pool_f32__generic", generic::pool_row};
