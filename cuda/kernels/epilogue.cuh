// io.vertebra.program.Epilogue: what follows a matrix product, by a pass of its own or fused.
#pragma once

#include "common.cuh"

namespace vtb {

// Row i of the product goes to row r = out_map[i] of out, or to row i without a map; it is dropped where it
// says -1:
//      out[r, c] = activation(product[i, c] + bias[c]) * gate[r * gate_stride + c] + residual[s, c]
// with s = residual_map[r], or r without a map (-1: nothing is added); if activation_last, the activation is applied
// to the whole instead. All but out may be null. out may be the residual if there is no residual_map. Each r occurs
// at most once.
template <typename T>
struct Epilogue {
  const float* bias;
  int32_t activation, activation_last;
  const T* gate;
  int32_t gate_stride;
  const T* residual;
  const int32_t *residual_map, *out_map;
  T* out;
  int32_t channels;

  // Whether vectors of vector_size<T> can be finished.
  __device__ __forceinline__ bool takes_vectors() const {
    return fits_vectors<T>(channels, bias, gate, residual, out) && (!gate || gate_stride % vector_size<T> == 0);
  }

  // Finishes n columns from c on of the product's row.
  template <int n>
  __device__ __forceinline__ void finish(float (&x)[n], int32_t row, int32_t c) const {
    const int32_t to = out_map ? out_map[row] : row;
    if (to < 0) return;
    if (bias) add_from(x, bias + c);
    if (!activation_last) activate(x, activation);
    if (gate) multiply_from(x, gate + to * gate_stride + c);
    if (residual) {
      const int32_t from = residual_map ? residual_map[to] : to;
      if (from >= 0) add_from(x, residual + from * channels + c);
    }
    if (activation_last) activate(x, activation);
    store(out + to * channels + c, x);
  }
};

}  // namespace vtb
