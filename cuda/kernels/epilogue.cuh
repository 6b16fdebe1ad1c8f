// vtbc_epilogue: what follows a matrix product, in a pass of its own or fused.
#pragma once

#include "activations.cuh"

namespace vtb {

// Whether rows of `channels` elements can be finished by vectors of vector_size<T>.
template <typename T>
__host__ __device__ __forceinline__ bool finishes_vectors(const vtbc_epilogue& epilogue, int32_t channels) {
  return fits_vectors<T>(channels, epilogue.bias, epilogue.gate, epilogue.residual, epilogue.out) &&
         (!epilogue.gate || epilogue.gate_stride % vector_size<T> == 0);
}

// Finishes n columns from c on of the product's row.
template <typename T, int n>
__device__ __forceinline__ void finish(const vtbc_epilogue& epilogue, int32_t channels, float (&x)[n], int32_t row,
                                       int32_t c) {
  const T *const gate = static_cast<const T*>(epilogue.gate), *const residual =
                                                                  static_cast<const T*>(epilogue.residual);
  const int32_t to = epilogue.out_map ? epilogue.out_map[row] : row;
  if (to < 0) return;
  if (epilogue.bias) add_from(x, epilogue.bias + c);
  if (!epilogue.activation_last) activate(x, epilogue.activation);
  if (gate) multiply_from(x, gate + to * epilogue.gate_stride + c);
  if (residual) {
    const int32_t from = epilogue.residual_map ? epilogue.residual_map[to] : to;
    if (from >= 0) add_from(x, residual + from * channels + c);
  }
  if (epilogue.activation_last) activate(x, epilogue.activation);
  store(static_cast<T*>(epilogue.out) + to * channels + c, x);
}

}  // namespace vtb
