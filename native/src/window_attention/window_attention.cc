#include "window_attention/window_attention.h"

#include <algorithm>

#include "runtime/kernels.h"
#include "runtime/pool.h"

int64_t vtb_window_attention_scratch(const vtb_window_attention_args* args) {
  return vtb::kernels().window_attention.scratch(args->tokens, args->head_dim);
}

vtb_status vtb_window_attention(vtb_pool* pool, const vtb_window_attention_args* args) {
  // Consecutive pairs share a window's rows, so a task takes several; with this many tasks the threads end together.
  constexpr int64_t tasks_per_thread = 16;
  const vtb::WindowAttentionKernel& kernel = vtb::kernels().window_attention;
  const int64_t pairs = int64_t{args->windows} * args->heads;
  const int64_t chunk = std::max<int64_t>(1, pairs / (tasks_per_thread * vtb_pool_threads(pool)));
  const int64_t thread_bytes = kernel.scratch(args->tokens, args->head_dim);
  vtb::parallel_for(pool, (pairs + chunk - 1) / chunk, [&](int64_t task, int32_t worker) {
    const int64_t begin = task * chunk;
    kernel.run(*args, begin, std::min(begin + chunk, pairs), static_cast<char*>(args->scratch) + worker * thread_bytes);
  });
  return VTB_OK;
}
