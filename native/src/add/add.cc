#include <algorithm>

#include "runtime/pool.h"
#include "vertebra.h"

// One loop for all levels: an addition a float moved is bound by memory, whatever the width of a vector.
extern "C" vtb_status vtb_add(vtb_pool* pool, const vtb_add_args* args) {
  constexpr int64_t block = 16384;
  const int64_t elements = args->elements, blocks = (elements + block - 1) / block;
  vtb::parallel_for(pool, args->batch * blocks, [=](int64_t index, int32_t) {
    const int64_t first = index % blocks * block, count = std::min(block, elements - first);
    const float* in = args->in + index / blocks * elements + first;
    const float* addend = args->addend + first;
    float* out = args->out + index / blocks * elements + first;
    for (int64_t i = 0; i < count; ++i) out[i] = in[i] + addend[i];
  });
  return VTB_OK;
}
