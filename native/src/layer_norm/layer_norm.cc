#include <algorithm>

#include "runtime/kernels.h"
#include "runtime/pool.h"

extern "C" vtb_status vtb_layer_norm(vtb_pool* pool, const vtb_layer_norm_args* args) {
  constexpr int64_t task_floats = 16384;
  const int64_t rows = args->rows, block = std::max<int64_t>(1, task_floats / args->channels);
  vtb::parallel_for(pool, (rows + block - 1) / block, [=](int64_t index, int32_t) {
    vtb::kernels().layer_norm.rows(*args, index * block, std::min(rows, (index + 1) * block));
  });
  return VTB_OK;
}
