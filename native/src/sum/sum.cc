#include "sum/sum.h"

#include <algorithm>

#include "runtime/kernels.h"
#include "runtime/pool.h"

vtb_status vtb_sum(vtb_pool* pool, const vtb_sum_args* args) {
  constexpr int64_t task_floats = 16384;
  const int64_t rows = args->rows, block = std::max<int64_t>(1, task_floats / args->channels);
  vtb::parallel_for(pool, (rows + block - 1) / block, [=](int64_t index, int32_t) {
    vtb::kernels().sum.run(*args, index * block, std::min(rows, (index + 1) * block));
  });
  return VTB_OK;
}
