#include "simd/avx512.h"

#include "window_pool/window_pool_f32.h"

const vtb::WindowPoolKernel vtb::window_pool_f32_avx512 = {"window_pool_f32__avx512", avx512::pool_row};
