#include "simd/avx2.h"

#include "pooling/pooling_f32.h"

namespace vtb::avx2 {

const PoolingKernel pooling_f32 = {"pooling_f32__avx2", mean_pool};

}  // namespace vtb::avx2
