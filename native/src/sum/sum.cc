#include "sum/sum.h"

#include "runtime/dispatch.h"
#include "runtime/pool.h"

namespace vtb {
namespace {

Dispatched<SumKernel> kernels{
    {VTB_ISA_GENERIC, sum_f32_generic}, {VTB_ISA_AVX2, sum_f32_avx2}, {VTB_ISA_AVX512, sum_f32_avx512}};

}  // namespace
}  // namespace vtb

vtb_status vtb_sum(vtb_pool* pool, const vtb_sum_args* args) {
  vtb::parallel_for_rows(pool, args->rows, args->channels, 16384,
                         [=](int64_t begin, int64_t end) { vtb::kernels->run(*args, begin, end); });
  return VTB_OK;
}
