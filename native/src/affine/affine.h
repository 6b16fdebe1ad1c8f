// The kernel of vtb_affine.
#pragma once

#include <cstdint>

#include "vertebra.h"

namespace vtb {

struct AffineKernel {
  const char* name;
  // Rows [begin, end) of [batch * positions, channels].
  void (*run)(const vtb_affine_args& args, int64_t begin, int64_t end);
};

extern const AffineKernel affine_f32_generic, affine_f32_avx2, affine_f32_avx512;

}  // namespace vtb
