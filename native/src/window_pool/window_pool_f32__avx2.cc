#include "simd/avx2.h"

#include "window_pool/window_pool_f32.h"

const vtb::WindowPoolKernel vtb::window_pool_f32_avx2 = {"window_pool_f32__avx2", avx2::pool_row};
