#include <algorithm>

#include "runtime/kernels.h"
#include "runtime/pool.h"

extern "C" vtb_status vtb_window_pool(vtb_pool* pool, const vtb_window_pool_args* args) {
  constexpr int64_t task_floats = 16384;
  const int64_t rows = int64_t{args->batch} * args->out_time * args->out_height;
  const int64_t taps = int64_t{args->size_time} * args->size_height * args->size_width;
  const int64_t row_floats = taps * args->out_width * args->channels;
  const int64_t block = std::max<int64_t>(1, task_floats / row_floats);
  vtb::parallel_for(pool, (rows + block - 1) / block, [=](int64_t index, int32_t) {
    const int64_t end = std::min(rows, (index + 1) * block);
    for (int64_t row = index * block; row < end; ++row) vtb::kernels().window_pool.row(*args, row);
  });
  return VTB_OK;
}
