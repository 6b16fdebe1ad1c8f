// Depthwise convolution in two and three dimensions.
#include <algorithm>

#include "activations.cuh"
#include "tensor_cores.cuh"

namespace vtb::depthwise_conv {
namespace {

// What a thread of the tiled kernels computes: two channels of a strip of outputs in each of two rows. A strip of 7
// divides the maps of images of 224 x 224 pixels; two rows share the weights in registers, so that arithmetic, not
// shared memory, is the limit.
constexpr int strip_outputs = 7, strip_rows = 2, tile_channels = 32;

// Copies rows x columns pixels of a frame, those at (y, x) ..., to shared memory; zeros where there is no map, and from
// `channels` on.
template <typename T>
__device__ __forceinline__ void load_tile(T* tile, const vtbc_depthwise_conv_args& conv, const T* frame, int32_t y,
                                          int32_t x, int32_t rows, int32_t columns, int32_t channels) {
  constexpr int n = vector_size<T>, vectors = tile_channels / n;
  const uint32_t thread = threadIdx.y * blockDim.x + threadIdx.x, threads = blockDim.x * blockDim.y;
  for (uint32_t i = thread; i < static_cast<uint32_t>(rows * columns * vectors); i += threads) {
    const uint32_t pixel = i / vectors, row = pixel / columns;
    const int32_t c = i % vectors * n, from_y = y + row, from_x = x + (pixel - row * columns);
    T* to = tile + pixel * tile_channels + c;
    if (from_y >= 0 && from_y < conv.height && from_x >= 0 && from_x < conv.width && c < channels) {
      copy_async_16(to, frame + (static_cast<int64_t>(from_y) * conv.width + from_x) * conv.in_channels + c);
    } else {
      float zeros[n];
      fill(zeros, 0.0f);
      store(to, zeros);
    }
  }
}

// Copies the weights of `taps` taps to shared memory, [taps, tile_channels]; `channels` of them are there.
__device__ __forceinline__ void load_weights(float* to, const float* weight, int32_t taps, int32_t stride,
                                             int32_t channels) {
  constexpr int vectors = tile_channels / 4;
  const int32_t thread = threadIdx.y * blockDim.x + threadIdx.x, threads = blockDim.x * blockDim.y;
  for (int32_t i = thread; i < taps * vectors; i += threads) {
    const int32_t tap = i / vectors, c = i % vectors * 4;
    if (c < channels) copy_async_16(to + tap * tile_channels + c, weight + static_cast<int64_t>(tap) * stride + c);
  }
}

// size x size taps a frame, steps of 1 in height and width. One tile of one frame and 32 channels after the other: what
// a frame of taps meets is brought to shared memory; a thread walks the rows of taps, their weights in registers.
template <typename T, int size>
__device__ void convolve_tiles(const vtbc_depthwise_conv_args& conv) {
  VTB_DYNAMIC_SHARED(float, weights);
  T* const tile = reinterpret_cast<T*>(weights + size * size * tile_channels);
  // A strip's rows are strips_y apart: the threads of a warp then read neighbouring rows, which an odd number of pixels
  // a row puts into different banks.
  const int32_t strips_x = conv.strips_x, strips_y = blockDim.y / strips_x;
  const int32_t tile_width = strips_x * strip_outputs, tile_height = strips_y * strip_rows;
  const int32_t columns = tile_width + size - 1, rows = tile_height + size - 1;
  const int32_t strip_x = threadIdx.y % strips_x * strip_outputs, strip_y = threadIdx.y / strips_x;

  const int32_t tiles_x = (conv.out_width + tile_width - 1) / tile_width;
  const int32_t tiles_y = (conv.out_height + tile_height - 1) / tile_height;
  const int32_t tiles_c = (conv.channels + tile_channels - 1) / tile_channels;
  const int64_t tasks = static_cast<int64_t>(conv.batch) * conv.out_time * tiles_c * tiles_y * tiles_x;
  const int64_t frame_size = static_cast<int64_t>(conv.height) * conv.width * conv.in_channels;
  for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
    const int32_t x0 = static_cast<int32_t>(task % tiles_x) * tile_width;
    const int32_t y0 = static_cast<int32_t>(task / tiles_x % tiles_y) * tile_height;
    const int64_t above = task / tiles_x / tiles_y;
    const int32_t c0 = static_cast<int32_t>(above % tiles_c) * tile_channels;
    const int64_t out_frame = above / tiles_c;
    const int32_t first_time = static_cast<int32_t>(out_frame % conv.out_time) * conv.stride_time - conv.padding_time;
    const T* image =
        static_cast<const T*>(conv.in) + out_frame / conv.out_time * conv.time * frame_size + conv.first_channel + c0;
    const int32_t left = conv.channels - c0, c = c0 + threadIdx.x * 2;
    const bool inside = c < conv.channels;

    float sums[strip_rows][strip_outputs][2];
    float start[2] = {0, 0};
    if (conv.bias && inside) load(start, conv.bias + c);
#pragma unroll
    for (int r = 0; r < strip_rows; ++r) {
#pragma unroll
      for (int o = 0; o < strip_outputs; ++o) sums[r][o][0] = start[0], sums[r][o][1] = start[1];
    }
    for (int32_t z = 0; z < conv.size_time; ++z) {
      const int32_t t = first_time + z;
      if (t < 0 || t >= conv.time) continue;
      __syncthreads();  // what the tile held has been read
      const float* frame_weights = conv.weight + static_cast<int64_t>(z) * size * size * conv.channels + c0;
      load_weights(weights, frame_weights, size * size, conv.channels, left);
      load_tile(tile, conv, image + t * frame_size, y0 - conv.padding_height, x0 - conv.padding_width, rows, columns,
                left);
      commit_copies();
      wait_copies<0>();
      __syncthreads();
#pragma unroll 1
      for (int y = 0; y < size; ++y) {
        float w[size][2];
#pragma unroll
        for (int x = 0; x < size; ++x) load(w[x], weights + (y * size + x) * tile_channels + threadIdx.x * 2);
#pragma unroll
        for (int r = 0; r < strip_rows; ++r) {
          const T* from = tile + ((strip_y + r * strips_y + y) * columns + strip_x) * tile_channels + threadIdx.x * 2;
#pragma unroll
          for (int column = 0; column < strip_outputs + size - 1; ++column) {
            float pixel[2];
            load(pixel, from + column * tile_channels);
#pragma unroll
            for (int o = 0; o < strip_outputs; ++o) {
              const int x = column - o;
              if (x < 0 || x >= size) continue;
              sums[r][o][0] += pixel[0] * w[x][0];
              sums[r][o][1] += pixel[1] * w[x][1];
            }
          }
        }
      }
    }
#pragma unroll
    for (int r = 0; r < strip_rows; ++r) {
      const int32_t y = y0 + strip_y + r * strips_y;
      if (y >= conv.out_height || !inside) continue;
      T* to = static_cast<T*>(conv.out) +
              ((out_frame * conv.out_height + y) * conv.out_width + x0 + strip_x) * conv.channels + c;
#pragma unroll
      for (int o = 0; o < strip_outputs; ++o) {
        if (x0 + strip_x + o >= conv.out_width) continue;
        activate(sums[r][o], conv.activation);
        store(to + static_cast<int64_t>(o) * conv.channels, sums[r][o]);
      }
    }
  }
}

// Any convolution: a thread computes n channels of an output, reading the map through the cache. If the multiplier is
// not 1, n is.
template <typename T, int n>
__device__ __forceinline__ void convolve_any(const vtbc_depthwise_conv_args& conv) {
  const uint32_t vectors = conv.channels / n, per_frame = conv.out_height * conv.out_width * vectors;
  const int64_t count = static_cast<int64_t>(conv.batch) * conv.out_time * per_frame;
  const int64_t row_size = static_cast<int64_t>(conv.width) * conv.in_channels;
  for (int64_t i = global_thread(); i < count; i += global_threads()) {
    const int64_t frame = i / per_frame;
    const uint32_t within = static_cast<uint32_t>(i - frame * per_frame), position = within / vectors;
    const int32_t c = (within - position * vectors) * n;
    const int32_t t0 = static_cast<int32_t>(frame % conv.out_time) * conv.stride_time - conv.padding_time;
    const int32_t y0 = static_cast<int32_t>(position / conv.out_width) * conv.stride_height - conv.padding_height;
    const int32_t x0 = static_cast<int32_t>(position % conv.out_width) * conv.stride_width - conv.padding_width;
    const T* image = static_cast<const T*>(conv.in) + frame / conv.out_time * conv.time * conv.height * row_size +
                     conv.first_channel + (n == 1 ? c / conv.multiplier : c);
    float sums[n];
    if (conv.bias) {
      load(sums, conv.bias + c);
    } else {
      fill(sums, 0.0f);
    }
    const int32_t begin_x = max(0, -x0), end_x = min(conv.size_width, conv.width - x0);
    for (int32_t z = max(0, -t0); z < min(conv.size_time, conv.time - t0); ++z) {
      for (int32_t y = max(0, -y0); y < min(conv.size_height, conv.height - y0); ++y) {
        const T* row = image + (static_cast<int64_t>(t0 + z) * conv.height + y0 + y) * row_size;
        const int64_t tap = static_cast<int64_t>(z * conv.size_height + y) * conv.size_width;
        const float* weights = conv.weight + tap * conv.channels + c;
#pragma unroll 2
        for (int32_t x = begin_x; x < end_x; ++x) {
          float pixel[n], w[n];
          load(pixel, row + static_cast<int64_t>(x0 + x) * conv.in_channels);
          load(w, weights + static_cast<int64_t>(x) * conv.channels);
#pragma unroll
          for (int j = 0; j < n; ++j) sums[j] += pixel[j] * w[j];
        }
      }
    }
    activate(sums, conv.activation);
    store(static_cast<T*>(conv.out) + i * n, sums);
  }
}

template <typename T>
__host__ __device__ __forceinline__ bool takes_vectors(const vtbc_depthwise_conv_args& conv) {
  return conv.multiplier == 1 && conv.in_channels % vector_size<T> == 0 &&
         fits_vectors<T>(conv.channels, static_cast<const T*>(conv.in) + conv.first_channel, conv.weight, conv.bias,
                         conv.out);
}

// A block for each tile of 32 channels and of 2 x 8 strips, or fewer where the map is small; less than 48 KiB of shared
// memory.
vtbc_launch launch_tiles(vtbc_depthwise_conv_args& args, const char* kernel, int32_t element_bytes) {
  const int32_t size = args.size_height;
  args.strips_x = args.out_width <= strip_outputs ? 1 : 2;
  const int32_t strips_y =
      static_cast<int32_t>(std::min<int64_t>(element_bytes == 4 ? 4 : 8, divide_up(args.out_height, strip_rows)));
  const int32_t rows = strips_y * strip_rows, columns = args.strips_x * strip_outputs;
  const int64_t tiles = int64_t{args.batch} * args.out_time * divide_up(args.channels, tile_channels) *
                        divide_up(args.out_height, rows) * divide_up(args.out_width, columns);
  const int64_t tile_elements = tile_channels * (rows + size - 1) * (columns + size - 1);
  return {kernel,
          tiles,
          tile_channels / 2,
          args.strips_x * strips_y,
          tile_elements * element_bytes + int64_t{size} * size * tile_channels * 4,
          0};
}

}  // namespace
}  // namespace vtb::depthwise_conv

VTB_KERNELS(vtb_depthwise_conv, vtbc_depthwise_conv_args, vtb::block_threads, 3,
            vtb::by_width<T>(vtb::depthwise_conv::takes_vectors<T>(args),
                             [&](auto n) { vtb::depthwise_conv::convolve_any<T, n.value>(args); }))
VTB_KERNELS(vtb_depthwise_conv_3x3, vtbc_depthwise_conv_args, vtb::block_threads, 2,
            vtb::depthwise_conv::convolve_tiles<T, 3>(args))
VTB_KERNELS(vtb_depthwise_conv_5x5, vtbc_depthwise_conv_args, vtb::block_threads, 2,
            vtb::depthwise_conv::convolve_tiles<T, 5>(args))
VTB_KERNELS(vtb_depthwise_conv_7x7, vtbc_depthwise_conv_args, vtb::block_threads, 2,
            vtb::depthwise_conv::convolve_tiles<T, 7>(args))

extern "C" int32_t vtbc_depthwise_conv_launch(vtbc_depthwise_conv_args* args, vtbc_dtype dtype, vtbc_launch* launches) {
  const int64_t n = vtb::by_dtype(dtype, [&](auto of) {
    using T = decltype(of);
    return vtb::depthwise_conv::takes_vectors<T>(*args) ? vtb::vector_size<T> : 1;
  });
  const char* const* const tiled = args->size_height == 3   ? vtb_depthwise_conv_3x3_names
                                   : args->size_height == 5 ? vtb_depthwise_conv_5x5_names
                                   : args->size_height == 7 ? vtb_depthwise_conv_7x7_names
                                                            : nullptr;
  if (tiled && n > 1 && args->size_width == args->size_height && args->stride_height == 1 && args->stride_width == 1) {
    launches[0] = vtb::depthwise_conv::launch_tiles(*args, tiled[dtype], dtype == VTBC_F32 ? 4 : 2);
    return 1;
  }
  const int64_t positions = int64_t{args->batch} * args->out_time * args->out_height * args->out_width;
  launches[0] = vtb::launch_threads(vtb_depthwise_conv_names[dtype], positions * args->channels / n);
  return 1;
}
