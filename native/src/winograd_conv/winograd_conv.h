// The parts of vtb_winograd_conv that depend on the instruction set.
#pragma once

#include <cstdint>

#include "vertebra.h"

namespace vtb {

// The transforms of tiles of 2 x 2 or 4 x 4 outputs.
struct WinogradTransforms {
  // Transforms the operand of tiles [begin, end): position p of tile t to
  // out + (p * (end - begin) + t - begin) * stride, whole vectors of in_channels floats. zeros: [in_channels], read as
  // the padding.
  void (*in)(const vtb_winograd_conv_args& args, int64_t begin, int64_t end, const float* zeros, float* out,
             int64_t stride);
  // Transforms products of tiles [begin, end), laid out the same way, back: output channels
  // [channel, channel + columns). Whole vectors of products are read.
  void (*out)(const vtb_winograd_conv_args& args, int64_t begin, int64_t end, const float* products, int64_t stride,
              int32_t channel, int32_t columns);
};

struct WinogradConvKernel {
  const char* name;
  WinogradTransforms tile2, tile4;
};

namespace generic {
extern const WinogradConvKernel winograd_conv_f32;
}
namespace avx2 {
extern const WinogradConvKernel winograd_conv_f32;
}
namespace avx512 {
extern const WinogradConvKernel winograd_conv_f32;
}

}  // namespace vtb
