#include "simd/avx512.h"

#include "pooling/pooling_f32.h"

namespace vtb::avx512 {

const PoolingKernel pooling_f32 = {"pooling_f32__avx512", mean_pool};

}  // namespace vtb::avx512
