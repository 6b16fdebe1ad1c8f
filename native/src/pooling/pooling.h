// The kernel of vtb_mean_pool.
#pragma once

#include <cstdint>

#include "vertebra.h"

namespace vtb {

struct PoolingKernel {
  const char* name;
  // out[c] = mean over t of in[t * stride + c], for c < channels.
  void (*mean)(const float* in, int64_t stride, int32_t tokens, int32_t channels, float* out);
};

namespace generic {
extern const PoolingKernel pooling_f32;
}
namespace avx2 {
extern const PoolingKernel pooling_f32;
}
namespace avx512 {
extern const PoolingKernel pooling_f32;
}

}  // namespace vtb
