// The kernel of vtb_depthwise_conv.
#pragma once

#include <cstdint>

#include "vertebra.h"

namespace vtb {

// A part of an image's output: rows of one frame, and channels.
struct DepthwiseConvBlock {
  int64_t image;
  int32_t frame;
  int32_t row_begin, row_end;
  int32_t channel_begin, channel_end;
};

struct DepthwiseConvKernel {
  const char* name;
  // Bytes one thread needs for blocks of up to `rows` rows and `channels` channels; a multiple of 64.
  int64_t (*scratch)(const vtb_depthwise_conv_args& args, int32_t rows, int32_t channels);
  void (*block)(const vtb_depthwise_conv_args& args, const DepthwiseConvBlock& block, void* scratch);
};

extern const DepthwiseConvKernel depthwise_conv_f32_generic, depthwise_conv_f32_avx2, depthwise_conv_f32_avx512;

}  // namespace vtb
