// The parts of vtb_winograd_conv that depend on the instruction set.
#pragma once

#include <cstdint>

#include "vertebra.h"

namespace vtb {

// Positions of a transformed tile, [4][4], row-major.
constexpr int32_t winograd_positions = 16;

struct WinogradConvKernel {
  const char* name;
  // Transforms the operand of tiles [begin, end): position p of tile t to out + (p * (end - begin) + t - begin) * stride,
  // in_channels floats.
  void (*transform_in)(const vtb_winograd_conv_args& args, int64_t begin, int64_t end, float* out, int64_t stride);
  // Transforms products of tiles [begin, end), laid out the same way, back: output channels [channel, channel + columns).
  void (*transform_out)(const vtb_winograd_conv_args& args, int64_t begin, int64_t end, const float* products,
                        int64_t stride, int32_t channel, int32_t columns);
};

namespace generic { extern const WinogradConvKernel winograd_conv_f32; }
namespace avx2 { extern const WinogradConvKernel winograd_conv_f32; }
namespace avx512 { extern const WinogradConvKernel winograd_conv_f32; }

}  // namespace vtb
