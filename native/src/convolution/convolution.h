// The kernel of vtb_convolution: Winograd's transforms. The products between them are tiles of the GEMM's.
#pragma once

#include <cstdint>

#include "vertebra.h"

namespace vtb {

// The transforms of tiles of 2 x 2 or 4 x 4 outputs.
struct WinogradTransforms {
  // Transforms the operand of tiles [begin, end): position p of tile t to
  // out + (p * (end - begin) + t - begin) * stride, whole vectors of in_channels floats. zeros: [in_channels], read as
  // the padding.
  void (*in)(const vtb_convolution_args& args, int64_t begin, int64_t end, const float* zeros, float* out,
             int64_t stride);
  // Transforms products of tiles [begin, end), laid out the same way, back: output channels
  // [channel, channel + columns). Whole vectors of products are read.
  void (*out)(const vtb_convolution_args& args, int64_t begin, int64_t end, const float* products, int64_t stride,
              int32_t channel, int32_t columns);
};

struct ConvolutionKernel {
  const char* name;
  WinogradTransforms tile2, tile4;
};

extern const ConvolutionKernel convolution_f32_generic, convolution_f32_avx2, convolution_f32_avx512;

// Outputs along each side of a tile: 2 or 4.
int64_t convolution_tile(int64_t channels, int64_t in_channels);

// What the functions of vertebra.h do, with tiles of one's own.
int64_t convolution_packed_bytes(int64_t tile, int32_t channels, int32_t in_channels);
vtb_status convolution_pack(int64_t tile, vtb_pool* pool, const void* weight, vtb_dtype dtype, int32_t channels,
                            int32_t in_channels, void* packed);
int64_t convolution_scratch(int64_t tile, const vtb_convolution_args& args);
vtb_status convolution(int64_t tile, vtb_pool* pool, const vtb_convolution_args& args);

}  // namespace vtb
