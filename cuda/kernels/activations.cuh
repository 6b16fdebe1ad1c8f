// Activation functions.
#pragma once

#include "vectors.cuh"

namespace vtb {

// activation is a vtbc_activation. NaN stays NaN.
__device__ __forceinline__ float activate(float x, int32_t activation) {
  switch (activation) {
    case VTBC_GELU: return 0.5f * x * (1 + erff(x * 0.707106781f));
    case VTBC_RELU: return x < 0 ? 0 : x;
    case VTBC_SILU: return x / (1 + expf(-x));
    case VTBC_SIGMOID: return 1 / (1 + expf(-x));
    case VTBC_TANH: return tanhf(x);
    default: return x;
  }
}

template <int n>
__device__ __forceinline__ void activate(float (&values)[n], int32_t activation) {
  if (activation == VTBC_IDENTITY) return;
#pragma unroll
  for (int i = 0; i < n; ++i) values[i] = activate(values[i], activation);
}

}  // namespace vtb
