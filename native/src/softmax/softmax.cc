#include "softmax/softmax.h"

#include "runtime/dispatch.h"
#include "runtime/pool.h"

namespace vtb {
namespace {

Dispatched<SoftmaxKernel> kernels{
    {VTB_ISA_GENERIC, softmax_f32_generic}, {VTB_ISA_AVX2, softmax_f32_avx2}, {VTB_ISA_AVX512, softmax_f32_avx512}};

}  // namespace
}  // namespace vtb

vtb_status vtb_softmax(vtb_pool* pool, const vtb_softmax_args* args) {
  const int64_t channels = args->channels;
  vtb::parallel_for_rows(pool, args->rows, channels, 8192, [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      vtb::kernels->row(args->in + row * channels, args->channels, args->out + row * channels);
    }
  });
  return VTB_OK;
}
