#include "mean_pool/mean_pool.h"

#include <algorithm>

#include "runtime/dispatch.h"
#include "runtime/pool.h"
#include "runtime/rounding.h"

namespace vtb {
namespace {

Dispatched<MeanPoolKernel> kernels{{VTB_ISA_GENERIC, mean_pool_f32_generic},
                                   {VTB_ISA_AVX2, mean_pool_f32_avx2},
                                   {VTB_ISA_AVX512, mean_pool_f32_avx512}};

}  // namespace
}  // namespace vtb

vtb_status vtb_mean_pool(vtb_pool* pool, const vtb_mean_pool_args* args) {
  constexpr int32_t block = 256;  // channels of a task: a few cache lines of every token
  const int32_t channels = args->channels;
  const int64_t blocks = vtb::divide_up(channels, block);
  vtb::parallel_for(pool, args->batch * blocks, [=](int64_t index, int32_t) {
    const int64_t image = index / blocks;
    const int32_t first = static_cast<int32_t>(index % blocks) * block;
    vtb::kernels->mean(args->in + image * args->tokens * channels + first, channels, args->tokens,
                       std::min(block, channels - first), args->out + image * channels + first);
  });
  return VTB_OK;
}
