// What follows a matrix product: io.vertebra.program.Epilogue in one pass.
#include "common.cuh"

namespace vtb {
namespace {

template <typename T>
__device__ void epilogue(const T* product, const float* bias, int32_t activation, int32_t activation_last,
    const T* gate, int32_t gate_stride, const T* residual, const int32_t* residual_map, const int32_t* out_map, T* out,
    int32_t rows, int32_t channels) {
  const bool vectors =
      fits_vectors<T>(channels, product, bias, gate, residual, out) && (!gate || gate_stride % vector_size<T> == 0);
  by_width<T>(vectors, [&](auto width) {
    constexpr int n = decltype(width)::value;
    const uint32_t row_vectors = channels / n, count = rows * row_vectors;
    for (uint32_t i = global_thread(); i < count; i += global_threads()) {
      const uint32_t row = i / row_vectors, c = i % row_vectors * n;
      const int32_t to = out_map ? out_map[row] : static_cast<int32_t>(row);
      if (to < 0) continue;
      float x[n];
      load(x, product + i * n);
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
  });
}

}  // namespace
}  // namespace vtb

// Row i of the product, [rows, channels], goes to row r = out_map[i] of out, or to row i without a map; it is dropped
// where the map says -1:
//      out[r, c] = activation(product[i, c] + bias[c]) * gate[r * gate_stride + c] + residual[s, c]
// with s = residual_map[r], or r without a map (-1: nothing is added); if activation_last, the activation is applied to
// the whole instead. All but product and out may be null. out may be the product if there is no out_map, and the
// residual if there is no residual_map. Each r occurs at most once.
//
// Block: 256 threads. Grid: ceil(elements / vector_size / 256) blocks give every thread one vector.
#define VTB_EPILOGUE(suffix, T)                                                                                        \
  extern "C" __global__ void __launch_bounds__(256) vtb_epilogue_##suffix(const T* product, const float* bias,         \
      int32_t activation, int32_t activation_last, const T* gate, int32_t gate_stride, const T* residual,              \
      const int32_t* residual_map, const int32_t* out_map, T* out, int32_t rows, int32_t channels) {                   \
    vtb::epilogue(product, bias, activation, activation_last, gate, gate_stride, residual, residual_map, out_map, out, \
        rows, channels);                                                                                               \
  }                                                                                                                    \
  VTB_REGISTER_KERNEL(vtb_epilogue_##suffix, 256)
VTB_FOR_EACH_DTYPE(VTB_EPILOGUE)
