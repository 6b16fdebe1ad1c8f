#include <algorithm>

#include "runtime/kernels.h"
#include "runtime/pool.h"

extern "C" vtb_status vtb_mean_pool(vtb_pool* pool, const vtb_mean_pool_args* args) {
  constexpr int32_t block = 256;  // channels of a task: a few cache lines of every token
  const int32_t channels = args->channels, blocks = (channels + block - 1) / block;
  vtb::parallel_for(pool, static_cast<int64_t>(args->batch) * blocks, [=](int64_t index, int32_t) {
    const int64_t image = index / blocks;
    const int32_t first = static_cast<int32_t>(index % blocks) * block;
    vtb::kernels().pooling.mean(args->in + image * args->tokens * channels + first, channels, args->tokens,
                                std::min(block, channels - first), args->out + image * channels + first);
  });
  return VTB_OK;
}
