#include "layer_norm/layer_norm.h"

#include "runtime/dispatch.h"
#include "runtime/pool.h"

namespace vtb {
namespace {

Dispatched<LayerNormKernel> kernels{{VTB_ISA_GENERIC, layer_norm_f32_generic},
                                    {VTB_ISA_AVX2, layer_norm_f32_avx2},
                                    {VTB_ISA_AVX512, layer_norm_f32_avx512}};

}  // namespace
}  // namespace vtb

vtb_status vtb_layer_norm(vtb_pool* pool, const vtb_layer_norm_args* args) {
  vtb::parallel_for_rows(pool, args->rows, args->channels, 16384,
                         [=](int64_t begin, int64_t end) { vtb::kernels->rows(*args, begin, end); });
  return VTB_OK;
}
