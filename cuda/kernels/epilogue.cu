// What follows a matrix product, in a pass of its own.
#include "epilogue.cuh"

namespace vtb {
namespace {

template <typename T>
__device__ void finish_product(const T* product, int32_t rows, const Epilogue<T>& epilogue) {
  by_width<T>(fits_vectors<T>(epilogue.channels, product) && epilogue.takes_vectors(), [&](auto width) {
    constexpr int n = decltype(width)::value;
    const uint32_t row_vectors = epilogue.channels / n, count = rows * row_vectors;
    for (uint32_t i = global_thread(); i < count; i += global_threads()) {
      float x[n];
      load(x, product + i * n);
      epilogue.finish(x, static_cast<int32_t>(i / row_vectors), static_cast<int32_t>(i % row_vectors * n));
    }
  });
}

}  // namespace
}  // namespace vtb

// out = epilogue(product), product being [rows, channels]: see vtb::Epilogue. out may be the product if there is no
// out_map.
// Block: 256 threads. Grid: ceil(elements / vector_size / 256) blocks give every thread one vector.
#define VTB_EPILOGUE(suffix, T)                                                                                  \
  extern "C" __global__ void __launch_bounds__(256)                                                              \
      vtb_epilogue_##suffix(const T* product, const float* bias, int32_t activation, int32_t activation_last,    \
                            const T* gate, int32_t gate_stride, const T* residual, const int32_t* residual_map,  \
                            const int32_t* out_map, T* out, int32_t rows, int32_t channels) {                    \
    vtb::finish_product<T>(                                                                                      \
        product, rows,                                                                                           \
        {bias, activation, activation_last, gate, gate_stride, residual, residual_map, out_map, out, channels}); \
  }                                                                                                              \
  VTB_REGISTER_KERNEL(vtb_epilogue_##suffix, 256)
VTB_FOR_EACH_DTYPE(VTB_EPILOGUE)
