#include "simd/avx512.h"

#include "window_pool/window_pool_f32.h"

namespace vtb::avx512 {

const WindowPoolKernel window_pool_f32 = {"window_pool_f32__avx512", pool_row};

}  // namespace vtb::avx512
