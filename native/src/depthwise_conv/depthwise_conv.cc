#include <algorithm>

#include "runtime/kernels.h"
#include "runtime/pool.h"

namespace {

// A task is a block of channels, a whole number of cache lines, over some rows of a frame: few enough that what it
// reads stays in the core's own cache, enough that rows read by two tasks are few.
constexpr int32_t block_channels = 64;
constexpr int32_t block_outputs = 768;

int32_t ceil_divide(int32_t a, int32_t b) { return (a + b - 1) / b; }

int32_t row_blocks(const vtb_depthwise_conv_args& args) {
  return ceil_divide(args.out_height, std::max(1, block_outputs / args.out_width));
}

int32_t block_rows(const vtb_depthwise_conv_args& args) { return ceil_divide(args.out_height, row_blocks(args)); }

}  // namespace

extern "C" {

int64_t vtb_depthwise_conv_scratch(const vtb_depthwise_conv_args* args) {
  return vtb::kernels().depthwise_conv.scratch(*args, block_rows(*args), block_channels);
}

vtb_status vtb_depthwise_conv(vtb_pool* pool, const vtb_depthwise_conv_args* args) {
  const int64_t channel_blocks = ceil_divide(args->channels, block_channels);
  const int32_t rows = block_rows(*args);
  const int64_t frame_blocks = channel_blocks * ceil_divide(args->out_height, rows);
  const int64_t thread_bytes = vtb_depthwise_conv_scratch(args);
  vtb::parallel_for(pool, frame_blocks * args->out_time * args->batch, [=](int64_t index, int32_t worker) {
    const int64_t frame = index / frame_blocks;
    const int32_t channel = static_cast<int32_t>(index % channel_blocks) * block_channels;
    const int32_t row = static_cast<int32_t>(index % frame_blocks / channel_blocks) * rows;
    const vtb::DepthwiseConvBlock block = {frame / args->out_time,
                                           static_cast<int32_t>(frame % args->out_time),
                                           row,
                                           std::min(args->out_height, row + rows),
                                           channel,
                                           std::min(args->channels, channel + block_channels)};
    vtb::kernels().depthwise_conv.block(*args, block, static_cast<char*>(args->scratch) + worker * thread_bytes);
  });
  return VTB_OK;
}

}  // extern "C"
