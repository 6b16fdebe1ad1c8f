// Depthwise convolution in two and three dimensions.
#include "common.cuh"

namespace vtb::depthwise_conv {
namespace {

// The parameters of every kernel, see below.
template <typename T>
struct Convolution {
  const T* in;
  const float *weight, *bias;
  T* out;
  int32_t batch, time, height, width, in_channels, first_channel, out_time, out_height, out_width, channels, multiplier;
  int32_t size_time, size_height, size_width, stride_time, stride_height, stride_width;
  int32_t padding_time, padding_height, padding_width;
  int32_t activation;
};

// What a thread of the tiled kernels computes: two channels of a strip of outputs in each of two rows. A strip of 7
// divides the maps of images of 224 x 224 pixels; two rows share the weights in registers, so that arithmetic, not
// shared memory, is the limit.
constexpr int strip_outputs = 7, strip_rows = 2, tile_channels = 32;

// Copies rows x columns pixels of a frame, those at (y, x) ..., to shared memory; zeros where there is no map, and from
// `channels` on.
template <typename T>
__device__ __forceinline__ void load_tile(T* tile, const Convolution<T>& conv, const T* frame, int32_t y, int32_t x,
                                          int32_t rows, int32_t columns, int32_t channels) {
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
__device__ void convolve_tiles(const Convolution<T>& conv, int32_t strips_x) {
  VTB_DYNAMIC_SHARED(float, weights);
  T* const tile = reinterpret_cast<T*>(weights + size * size * tile_channels);
  // A strip's rows are strips_y apart: the threads of a warp then read neighbouring rows, which an odd number of pixels
  // a row puts into different banks.
  const int32_t strips_y = blockDim.y / strips_x;
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
    const T* image = conv.in + out_frame / conv.out_time * conv.time * frame_size + conv.first_channel + c0;
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
      T* to = conv.out + ((out_frame * conv.out_height + y) * conv.out_width + x0 + strip_x) * conv.channels + c;
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
__device__ void convolve_any(const Convolution<T>& conv) {
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
    const T* image = conv.in + frame / conv.out_time * conv.time * conv.height * row_size + conv.first_channel +
                     (n == 1 ? c / conv.multiplier : c);
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
    store(conv.out + i * n, sums);
  }
}

template <typename T>
__device__ void convolve_any(const Convolution<T>& conv) {
  constexpr int n = vector_size<T>;
  if (conv.multiplier == 1 && conv.in_channels % n == 0 &&
      fits_vectors<T>(conv.channels, conv.in + conv.first_channel, conv.weight, conv.bias, conv.out)) {
    convolve_any<T, n>(conv);
  } else {
    convolve_any<T, 1>(conv);
  }
}

}  // namespace
}  // namespace vtb::depthwise_conv

// Depthwise convolution over [batch, time, height, width], zero padding, channels last; a plain image has time 1.
//      out[b, t, y, x, c] = activation(bias[c] + sum over taps of
//                                      weight[tap, c] * in[b, t', y', x', first_channel + c / multiplier])
// with t' = t * stride_time + tap's time - padding_time, and so on. in: in_channels channels a pixel; weight: [taps,
// channels] in (time, height, width) order; bias: [channels] or null; out: [batch, out_time, out_height, out_width,
// channels], less than 2^32 elements a frame.
//
// vtb_depthwise_conv_<dtype>: any. Block: 256 threads. Grid: a thread for every vector of 16 bytes of out if multiplier
// is 1 and channels, in_channels and first_channel are whole vectors, else for every element; any is right.
//
// vtb_depthwise_conv_<size>x<size>_<dtype>, size 3, 5 or 7: size_height = size_width = size, any size_time,
// stride_height = stride_width = 1, multiplier 1; pointers aligned to 16 bytes; channels, in_channels and first_channel
// whole vectors of 16 bytes. A block's tile has strips_x * 7 columns and strips_y * 2 rows of outputs, and 32 channels.
// strips_x: 2, or 1 if out_width <= 7. strips_y: 8 (f32: 4), or ceil(out_height / 2) where that is less.
// Block: (16, strips_x * strips_y). Shared memory, less than 48 KiB:
//      128 * size * size + 32 * (strips_y * 2 + size - 1) * (strips_x * 7 + size - 1) * sizeof(T) bytes.
// Grid: as many blocks as tiles, batch * out_time * ceil(channels / 32) * ceil(out_height / tile's rows) *
// ceil(out_width / tile's columns); any is right.
#define VTB_DEPTHWISE_CONV_PARAMETERS(T)                                                                          \
  const T *in, const float *weight, const float *bias, T *out, int32_t batch, int32_t time, int32_t height,       \
      int32_t width, int32_t in_channels, int32_t first_channel, int32_t out_time, int32_t out_height,            \
      int32_t out_width, int32_t channels, int32_t multiplier, int32_t size_time, int32_t size_height,            \
      int32_t size_width, int32_t stride_time, int32_t stride_height, int32_t stride_width, int32_t padding_time, \
      int32_t padding_height, int32_t padding_width, int32_t activation
#define VTB_DEPTHWISE_CONV_STRUCT(T)                                                                                \
  vtb::depthwise_conv::Convolution<T> {                                                                             \
    in, weight, bias, out, batch, time, height, width, in_channels, first_channel, out_time, out_height, out_width, \
        channels, multiplier, size_time, size_height, size_width, stride_time, stride_height, stride_width,         \
        padding_time, padding_height, padding_width, activation                                                     \
  }

#define VTB_DEPTHWISE_CONV_TILED(suffix, T, size)                                                         \
  extern "C" __global__ void __launch_bounds__(256, 2)                                                    \
      vtb_depthwise_conv_##size##x##size##_##suffix(VTB_DEPTHWISE_CONV_PARAMETERS(T), int32_t strips_x) { \
    vtb::depthwise_conv::convolve_tiles<T, size>(VTB_DEPTHWISE_CONV_STRUCT(T), strips_x);                 \
  }                                                                                                       \
  VTB_REGISTER_KERNEL(vtb_depthwise_conv_##size##x##size##_##suffix, 256)

#define VTB_DEPTHWISE_CONV(suffix, T)                                                                                  \
  extern "C" __global__ void __launch_bounds__(256, 3) vtb_depthwise_conv_##suffix(VTB_DEPTHWISE_CONV_PARAMETERS(T)) { \
    vtb::depthwise_conv::convolve_any(VTB_DEPTHWISE_CONV_STRUCT(T));                                                   \
  }                                                                                                                    \
  VTB_REGISTER_KERNEL(vtb_depthwise_conv_##suffix, 256)                                                                \
  VTB_DEPTHWISE_CONV_TILED(suffix, T, 3)                                                                               \
  VTB_DEPTHWISE_CONV_TILED(suffix, T, 5)                                                                               \
  VTB_DEPTHWISE_CONV_TILED(suffix, T, 7)
VTB_FOR_EACH_DTYPE(VTB_DEPTHWISE_CONV)
