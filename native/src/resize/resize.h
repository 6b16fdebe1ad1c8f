// The kernel of vtb_adaptive_average_pool and vtb_bilinear.
#pragma once

#include <cstdint>

#include "vertebra.h"

namespace vtb {

struct ResizeKernel {
  const char* name;
  // The mean of `rows` x `columns` neighbouring positions of a map; a row of the map has `stride` floats.
  void (*mean)(const float* in, int64_t stride, int32_t rows, int32_t columns, int32_t channels, float* out);
  // Between four positions: `across` of the way from left to right, `down` of the way from upper to lower.
  void (*interpolate)(const float* upper_left, const float* upper_right, const float* lower_left,
                      const float* lower_right, float across, float down, int32_t channels, float* out);
};

namespace generic {
extern const ResizeKernel resize_f32;
}
namespace avx2 {
extern const ResizeKernel resize_f32;
}
namespace avx512 {
extern const ResizeKernel resize_f32;
}

}  // namespace vtb
