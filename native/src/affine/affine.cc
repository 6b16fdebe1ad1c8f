#include "affine/affine.h"

#include <algorithm>

#include "runtime/kernels.h"
#include "runtime/pool.h"

vtb_status vtb_affine(vtb_pool* pool, const vtb_affine_args* args) {
  constexpr int64_t task_floats = 16384;
  const int64_t rows = int64_t{args->batch} * args->positions;
  const int64_t block = std::max<int64_t>(1, task_floats / args->channels);
  vtb::parallel_for(pool, (rows + block - 1) / block, [=](int64_t index, int32_t) {
    vtb::kernels().affine.run(*args, index * block, std::min(rows, (index + 1) * block));
  });
  return VTB_OK;
}
