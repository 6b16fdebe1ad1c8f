#include "affine/affine.h"

#include "runtime/dispatch.h"
#include "runtime/pool.h"

namespace vtb {
namespace {

Dispatched<AffineKernel> kernels{
    {VTB_ISA_GENERIC, affine_f32_generic}, {VTB_ISA_AVX2, affine_f32_avx2}, {VTB_ISA_AVX512, affine_f32_avx512}};

}  // namespace
}  // namespace vtb

vtb_status vtb_affine(vtb_pool* pool, const vtb_affine_args* args) {
  vtb::parallel_for_rows(pool, int64_t{args->batch} * args->positions, args->channels, 16384,
                         [=](int64_t begin, int64_t end) { vtb::kernels->run(*args, begin, end); });
  return VTB_OK;
}
