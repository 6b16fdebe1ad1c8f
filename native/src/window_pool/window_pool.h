// The kernel of vtb_window_pool.
#pragma once

#include <cstdint>

#include "vertebra.h"

namespace vtb {

struct WindowPoolKernel {
  const char* name;
  // Row `row` of the output's batch * out_time * out_height.
  void (*row)(const vtb_window_pool_args& args, int64_t row);
};

extern const WindowPoolKernel window_pool_f32_generic, window_pool_f32_avx2, window_pool_f32_avx512;

}  // namespace vtb
