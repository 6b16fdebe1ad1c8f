#include "simd/avx2.h"

#include "window_pool/window_pool_f32.h"

namespace vtb::avx2 {

const WindowPoolKernel window_pool_f32 = {"window_pool_f32__avx2", pool_row};

}  // namespace vtb::avx2
