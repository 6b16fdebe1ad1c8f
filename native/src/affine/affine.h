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

namespace generic {
extern const AffineKernel affine_f32;
}
namespace avx2 {
extern const AffineKernel affine_f32;
}
namespace avx512 {
extern const AffineKernel affine_f32;
}

}  // namespace vtb
