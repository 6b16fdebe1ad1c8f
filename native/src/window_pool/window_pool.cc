#include "window_pool/window_pool.h"

#include "runtime/dispatch.h"
#include "runtime/pool.h"

namespace vtb {
namespace {

Dispatched<WindowPoolKernel> kernels{{VTB_ISA_GENERIC, window_pool_f32_generic},
                                     {VTB_ISA_AVX2, window_pool_f32_avx2},
                                     {VTB_ISA_AVX512, window_pool_f32_avx512}};

}  // namespace
}  // namespace vtb

vtb_status vtb_window_pool(vtb_pool* pool, const vtb_window_pool_args* args) {
  const int64_t rows = int64_t{args->batch} * args->out_time * args->out_height;
  const int64_t taps = int64_t{args->size_time} * args->size_height * args->size_width;
  const int64_t row_floats = taps * args->out_width * args->channels;
  vtb::parallel_for_rows(pool, rows, row_floats, 16384, [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) vtb::kernels->row(*args, row);
  });
  return VTB_OK;
}
