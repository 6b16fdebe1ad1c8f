#include "depthwise_conv/depthwise_conv.h"

#include <algorithm>

#include "runtime/dispatch.h"
#include "runtime/pool.h"
#include "runtime/rounding.h"

namespace vtb {
namespace {

Dispatched<DepthwiseConvKernel> kernels{{VTB_ISA_GENERIC, depthwise_conv_f32_generic},
                                        {VTB_ISA_AVX2, depthwise_conv_f32_avx2},
                                        {VTB_ISA_AVX512, depthwise_conv_f32_avx512}};

// A task is a block of channels, a whole number of cache lines, over some rows of a frame: few enough that what it
// reads stays in the core's own cache, enough that rows read by two tasks are few.
constexpr int32_t most_channels = 256, channel_multiple = 16;
constexpr int64_t most_outputs = 48 * 1024, outputs_worth_a_task = 12 * 1024;
constexpr int64_t tasks_per_thread = 4;

int32_t block_channels(const vtb_depthwise_conv_args& args) {
  const int64_t vectors = divide_up(args.channels, channel_multiple);
  return static_cast<int32_t>(divide_up(vectors, divide_up(args.channels, most_channels)) * channel_multiple);
}

// Of one frame, the most.
int32_t block_rows(const vtb_depthwise_conv_args& args) {
  const int64_t fit = most_outputs / (int64_t{args.out_width} * block_channels(args));
  return static_cast<int32_t>(std::clamp<int64_t>(fit, 1, args.out_height));
}

}  // namespace
}  // namespace vtb

int64_t vtb_depthwise_conv_scratch(const vtb_depthwise_conv_args* args) {
  using namespace vtb;
  return kernels->scratch(*args, block_rows(*args), block_channels(*args));
}

vtb_status vtb_depthwise_conv(vtb_pool* pool, const vtb_depthwise_conv_args* args) {
  using namespace vtb;
  const int32_t height = args->out_height, channels = block_channels(*args);
  const int64_t channel_blocks = divide_up(args->channels, channels);
  const int64_t frames = int64_t{args->batch} * args->out_time;
  // Enough blocks for all threads to end together, if they are worth it.
  const int64_t wanted = divide_up(tasks_per_thread * vtb_pool_threads(pool), channel_blocks * frames);
  const int64_t worth = int64_t{height} * args->out_width * channels / outputs_worth_a_task;
  const int64_t row_blocks = std::max(divide_up(height, block_rows(*args)), std::min<int64_t>({wanted, worth, height}));
  const int64_t frame_blocks = channel_blocks * row_blocks;
  const int64_t thread_bytes = vtb_depthwise_conv_scratch(args);
  parallel_for(pool, frame_blocks * frames, [=](int64_t index, int32_t worker) {
    const int64_t frame = index / frame_blocks, row_block = index % frame_blocks / channel_blocks;
    const int32_t channel = static_cast<int32_t>(index % channel_blocks) * channels;
    const DepthwiseConvBlock block = {frame / args->out_time,
                                      static_cast<int32_t>(frame % args->out_time),
                                      static_cast<int32_t>(height * row_block / row_blocks),
                                      static_cast<int32_t>(height * (row_block + 1) / row_blocks),
                                      channel,
                                      std::min(args->channels, channel + channels)};
    kernels->block(*args, block, static_cast<char*>(args->scratch) + worker * thread_bytes);
  });
  return VTB_OK;
}
