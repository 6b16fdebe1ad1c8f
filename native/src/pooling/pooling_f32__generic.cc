#include "simd/generic.h"

#include "pooling/pooling_f32.h"

namespace vtb::generic {

const PoolingKernel pooling_f32 = {"pooling_f32__generic", mean_pool};

}  // namespace vtb::generic
