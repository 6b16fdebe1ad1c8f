// The kernel of vtb_sum.
#pragma once

#include <cstdint>

#include "vertebra.h"

namespace vtb {

struct SumKernel {
  const char* name;
  // Rows [begin, end) of the output.
  void (*run)(const vtb_sum_args& args, int64_t begin, int64_t end);
};

extern const SumKernel sum_f32_generic, sum_f32_avx2, sum_f32_avx512;

}  // namespace vtb
