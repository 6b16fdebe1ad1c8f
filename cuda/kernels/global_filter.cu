// The global filter: irfft2(rfft2(in) * filter), by mixed-radix transforms in shared memory.
//
// A tile is 8 channels, taken as four complex maps z of two channels each, so that a plain complex transform serves,
// whatever the parity of the sizes. With Z = fft2(z) and Z'[u, v] = conj(Z[-u, -v]) the two channels' spectra are
//      (Z + Z') / 2   and   (Z - Z') / 2i,
// and as each is Hermitian, the stored half of the filter gives the products at [u, v] and at [-u, -v]. These two are
// stored in each other's place, so that another forward transform takes them back.
#include "dft.cuh"

namespace vtb::global_filter {
namespace {

constexpr int tile_channels = 2 * pairs;

// 8 channels of a position, of which `left` are there, to shared memory; zeros for the others.
template <typename T>
__device__ __forceinline__ void load_position(float2* to, const T* from, int32_t left, bool aligned) {
  float values[tile_channels];
  if (aligned && left >= tile_channels) {
    load(values, from);
  } else {
#pragma unroll
    for (int c = 0; c < tile_channels; ++c) values[c] = c < left ? to_float(from[c]) : 0;
  }
  store(&to->x, values);
}

template <typename T>
__device__ __forceinline__ void store_position(T* to, const float2* from, int32_t left, bool aligned) {
  float values[tile_channels];
  load(values, &from->x);
  if (aligned && left >= tile_channels) {
    store(to, values);
    return;
  }
#pragma unroll
  for (int c = 0; c < tile_channels; ++c) {
    if (c < left) to[c] = from_float<T>(values[c]);
  }
}

// From Z[u, v] and Z[-u, -v] of two channels to the products in each other's place. `filter` points to the first
// channel's factor; `scale` includes the factor 1/2; `left` channels are there.
__device__ __forceinline__ void filter_pair(const float* filter, int32_t left, bool aligned, float scale, float2* here,
                                            float2* there) {
  float f[4];
  if (aligned && left >= 2) {
    load(f, filter);
  } else {
#pragma unroll
    for (int i = 0; i < 4; ++i) f[i] = i < 2 * left ? filter[i] : 0;
  }
  const float2 z = *here, m = *there;
  const float2 a = multiply(make_float2(z.x + m.x, z.y - m.y), make_float2(f[0] * scale, f[1] * scale));
  const float2 b = multiply(make_float2(z.y + m.y, m.x - z.x), make_float2(f[2] * scale, f[3] * scale));
  *here = make_float2(a.x + b.y, b.x - a.y);
  *there = add_i_times(a, b);
}

// Whole maps, 8 channels at a time, in shared memory.
template <typename T>
__device__ void filter_maps(const T* in, const float* filter, T* out, int32_t batch, int32_t height, int32_t width,
                            int32_t in_channels, int32_t channels, int32_t lines) {
  VTB_DYNAMIC_SHARED(float2, tile);
  // An odd number of elements: a column spreads over all banks.
  const int32_t pitch = (width | 1) * pairs, positions = height * width, spectrum = width / 2 + 1;
  const int32_t spare = height * pitch;
  float2* const row_roots = tile + spare + lines * max(height, width) * pairs;
  float2* const column_roots = row_roots + width;
  make_roots(row_roots, width);
  make_roots(column_roots, height);
  const bool in_aligned = fits_vectors<T>(in_channels, in), out_aligned = fits_vectors<T>(channels, out);
  const bool filter_aligned = fits_vectors<float>(2 * channels, filter);
  const float scale = 0.5f / static_cast<float>(positions);
  const int32_t tiles = (channels + tile_channels - 1) / tile_channels;
  const int64_t tasks = static_cast<int64_t>(batch) * tiles;
  for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
    const int32_t c0 = static_cast<int32_t>(task % tiles) * tile_channels, left = channels - c0;
    const int64_t first = task / tiles * positions;
    __syncthreads();  // the tile before has been stored
    for (int32_t i = threadIdx.x; i < positions; i += blockDim.x) {
      const int32_t y = i / width, x = i - y * width;
      load_position(tile + y * pitch + x * pairs, in + (first + i) * in_channels + c0, left, in_aligned);
    }
    for (int step = 0; step < 4; ++step) {  // rows, columns, and back
      const bool rows = step == 0 || step == 3;
      const int32_t n = rows ? width : height, count = rows ? height : width;
      const int32_t line = rows ? pitch : pairs, element = rows ? pairs : pitch;
      for (int32_t i = 0; i < count; i += lines) {
        transform(rows ? row_roots : column_roots, n, {i * line, line, element}, {spare, n * pairs, pairs},
                  min(lines, count - i));
      }
      if (step != 1) continue;
      for (int32_t i = threadIdx.x; i < height * spectrum * pairs; i += blockDim.x) {
        const int32_t pair = i % pairs, u = i / pairs / spectrum, v = i / pairs - u * spectrum;
        const int32_t minus_u = u == 0 ? 0 : height - u, minus_v = v == 0 ? 0 : width - v;
        if ((v == minus_v && u > minus_u) || 2 * pair >= left) continue;
        const int64_t at = (static_cast<int64_t>(i / pairs) * channels + c0 + 2 * pair) * 2;
        filter_pair(filter + at, left - 2 * pair, filter_aligned, scale, tile + u * pitch + v * pairs + pair,
                    tile + minus_u * pitch + minus_v * pairs + pair);
      }
    }
    for (int32_t i = threadIdx.x; i < positions; i += blockDim.x) {
      const int32_t y = i / width, x = i - y * width;
      store_position(out + (first + i) * channels + c0, tile + y * pitch + x * pairs, left, out_aligned);
    }
  }
}

// Transforms rows of `width` positions, 8 channels of `lines` rows at a time. Of in_channels and out_channels, one is
// the other rounded up to whole tiles: a spectrum takes both channels of a pair.
template <typename From, typename To>
__device__ void transform_rows(const From* in, To* out, int64_t rows, int32_t width, int32_t in_stride,
                               int32_t in_channels, int32_t out_channels, int32_t lines) {
  VTB_DYNAMIC_SHARED(float2, tile);
  const int32_t pitch = (width | 1) * pairs;
  const int32_t spare = lines * pitch;
  float2* const roots = tile + spare + lines * width * pairs;
  make_roots(roots, width);
  const bool in_aligned = fits_vectors<From>(in_stride, in), out_aligned = fits_vectors<To>(out_channels, out);
  const int32_t tiles = (in_channels + tile_channels - 1) / tile_channels;
  const int64_t tasks = (rows + lines - 1) / lines * tiles;
  for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
    const int32_t c0 = static_cast<int32_t>(task % tiles) * tile_channels;
    const int64_t row = task / tiles * lines;
    const int32_t count = static_cast<int32_t>(min(static_cast<int64_t>(lines), rows - row));
    __syncthreads();  // the tile before has been stored
    for (int32_t i = threadIdx.x; i < count * width; i += blockDim.x) {
      const int32_t y = i / width, x = i - y * width;
      const From* from = in + (row * width + i) * in_stride + c0;
      load_position(tile + y * pitch + x * pairs, from, in_channels - c0, in_aligned);
    }
    transform(roots, width, {0, pitch, pairs}, {spare, width * pairs, pairs}, count);
    for (int32_t i = threadIdx.x; i < count * width; i += blockDim.x) {
      const int32_t y = i / width, x = i - y * width;
      To* to = out + (row * width + i) * out_channels + c0;
      store_position(to, tile + y * pitch + x * pairs, out_channels - c0, out_aligned);
    }
  }
}

// Columns v and -v at a time: transform, filter, transform.
__device__ __forceinline__ void filter_columns(float* maps, const float* filter, int32_t batch, int32_t height,
                                               int32_t width, int32_t channels) {
  VTB_DYNAMIC_SHARED(float2, tile);
  const int32_t line = height * pairs, spectrum = width / 2 + 1;
  const int32_t tiles = (channels + tile_channels - 1) / tile_channels, stride = tiles * tile_channels;
  const int32_t spare = 2 * line;
  float2* const roots = tile + spare + 2 * line;
  make_roots(roots, height);
  const bool filter_aligned = fits_vectors<float>(2 * channels, filter);
  const float scale = 0.5f / (static_cast<float>(height) * static_cast<float>(width));
  const int64_t tasks = static_cast<int64_t>(batch) * spectrum * tiles;
  for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
    const int32_t c0 = static_cast<int32_t>(task % tiles) * tile_channels, left = channels - c0;
    const int32_t v = static_cast<int32_t>(task / tiles % spectrum), minus_v = v == 0 ? 0 : width - v;
    float* map = maps + task / tiles / spectrum * height * width * stride + c0;
    const int32_t count = v == minus_v ? 1 : 2;
    const auto column = [&](int32_t i) {  // position i of the two columns
      const int32_t which = i / height;
      return map + (static_cast<int64_t>(i - which * height) * width + (which == 0 ? v : minus_v)) * stride;
    };
    __syncthreads();  // the columns before have been stored
    for (int32_t i = threadIdx.x; i < count * height; i += blockDim.x) {
      load_position(tile + i * pairs, column(i), tile_channels, true);
    }
    for (int step = 0; step < 2; ++step) {
      transform(roots, height, {0, line, pairs}, {spare, line, pairs}, count);
      if (step == 1) continue;
      for (int32_t i = threadIdx.x; i < height * pairs; i += blockDim.x) {
        const int32_t pair = i % pairs, u = i / pairs, minus_u = u == 0 ? 0 : height - u;
        if ((count == 1 && u > minus_u) || 2 * pair >= left) continue;
        const int64_t at = ((static_cast<int64_t>(u) * spectrum + v) * channels + c0 + 2 * pair) * 2;
        filter_pair(filter + at, left - 2 * pair, filter_aligned, scale, tile + i,
                    tile + (count - 1) * line + minus_u * pairs + pair);
      }
    }
    for (int32_t i = threadIdx.x; i < count * height; i += blockDim.x) {
      store_position(column(i), tile + i * pairs, tile_channels, true);
    }
  }
}

}  // namespace
}  // namespace vtb::global_filter

// irfft2(rfft2(in) * filter) over height and width of each channel, that is a circular convolution (Rao et al., arXiv
// 2107.00645). in: [batch, height, width, in_channels], of which channels first_channel ... are filtered; out: [batch,
// height, width, channels]; filter: [height, width / 2 + 1, channels, 2], real and imaginary parts, columns 0 and, for
// an even width, width / 2 Hermitian in the row frequency. Any size, primes included. Tiles are of 8 channels: tiles =
// ceil(channels / 8).
//
// vtb_global_filter_<dtype>: maps that fit shared memory, with longer = max(height, width):
//      8 * (4 * height * (width | 1) + 4 * lines * longer + height + width) bytes,
// lines = min(longer, max(8, 512 / longer)); 64 x 64 takes 147 KiB. Block: 256 threads, or 128 if height * width <=
// 256. Grid: batch * tiles blocks; any is right.
//
// Larger maps take three launches, over a workspace of batch * height * width * tiles * 8 floats aligned to 16 bytes:
// vtb_global_filter_rows_<dtype>, vtb_global_filter_columns, vtb_global_filter_rows_back_<dtype>. Block: 256 threads.
// Rows: lines = min(batch * height, max(1, 2048 / width)); 8 * (4 * lines * ((width | 1) + width) + width) bytes of
// shared memory; grid: ceil(batch * height / lines) * tiles blocks; any is right.
// Columns: 136 * height bytes of shared memory; grid: batch * (width / 2 + 1) * tiles blocks; any is right.
#define VTB_GLOBAL_FILTER(suffix, T)                                                                                   \
  extern "C" __global__ void __launch_bounds__(256, 2) vtb_global_filter_##suffix(                                     \
      const T* in, const float* filter, T* out, int32_t batch, int32_t height, int32_t width, int32_t in_channels,     \
      int32_t first_channel, int32_t channels, int32_t lines) {                                                        \
    vtb::global_filter::filter_maps(in + first_channel, filter, out, batch, height, width, in_channels, channels,      \
                                    lines);                                                                            \
  }                                                                                                                    \
  VTB_REGISTER_KERNEL(vtb_global_filter_##suffix, 256)                                                                 \
  extern "C" __global__ void __launch_bounds__(256, 2)                                                                 \
      vtb_global_filter_rows_##suffix(const T* in, float* workspace, int32_t batch, int32_t height, int32_t width,     \
                                      int32_t in_channels, int32_t first_channel, int32_t channels, int32_t lines) {   \
    vtb::global_filter::transform_rows(in + first_channel, workspace, static_cast<int64_t>(batch) * height, width,     \
                                       in_channels, channels, (channels + 7) / 8 * 8, lines);                          \
  }                                                                                                                    \
  VTB_REGISTER_KERNEL(vtb_global_filter_rows_##suffix, 256)                                                            \
  extern "C" __global__ void __launch_bounds__(256, 2) vtb_global_filter_rows_back_##suffix(                           \
      const float* workspace, T* out, int32_t batch, int32_t height, int32_t width, int32_t channels, int32_t lines) { \
    vtb::global_filter::transform_rows(workspace, out, static_cast<int64_t>(batch) * height, width,                    \
                                       (channels + 7) / 8 * 8, (channels + 7) / 8 * 8, channels, lines);               \
  }                                                                                                                    \
  VTB_REGISTER_KERNEL(vtb_global_filter_rows_back_##suffix, 256)
VTB_FOR_EACH_DTYPE(VTB_GLOBAL_FILTER)

extern "C" __global__ void __launch_bounds__(256, 2)
    vtb_global_filter_columns(float* workspace, const float* filter, int32_t batch, int32_t height, int32_t width,
                              int32_t channels) {
  vtb::global_filter::filter_columns(workspace, filter, batch, height, width, channels);
}
VTB_REGISTER_KERNEL(vtb_global_filter_columns, 256)
