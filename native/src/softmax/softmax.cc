#include <algorithm>

#include "runtime/kernels.h"
#include "runtime/pool.h"

extern "C" vtb_status vtb_softmax(vtb_pool* pool, const vtb_softmax_args* args) {
  constexpr int64_t task_floats = 8192;
  const int64_t rows = args->rows, channels = args->channels, block = std::max<int64_t>(1, task_floats / channels);
  vtb::parallel_for(pool, (rows + block - 1) / block, [=](int64_t index, int32_t) {
    const int64_t end = std::min(rows, (index + 1) * block);
    for (int64_t row = index * block; row < end; ++row) {
      vtb::kernels().softmax.row(args->in + row * channels, args->channels, args->out + row * channels);
    }
  });
  return VTB_OK;
}
