// The global filter: irfft2(rfft2(in) * filter), by mixed-radix transforms in shared memory.
//
// A tile is 8 channels, taken as four complex maps z of two channels each, so that a plain complex transform serves,
// whatever the parity of the sizes. With Z = fft2(z) and Z'[u, v] = conj(Z[-u, -v]) the two channels' spectra are
//      (Z + Z') / 2   and   (Z - Z') / 2i,
// and as each is Hermitian, the stored half of the filter gives the products at [u, v] and at [-u, -v]. These two are
// stored in each other's place, so that another forward transform takes them back.
#include <algorithm>

#include "dft.cuh"

namespace vtb::global_filter {
namespace {

constexpr int tile_channels = 2 * pairs;

// Channels rounded up to whole tiles.
__host__ __device__ __forceinline__ int32_t padded(int32_t channels) {
  return (channels + tile_channels - 1) / tile_channels * tile_channels;
}

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
__device__ void filter_maps(const vtbc_global_filter_args& args) {
  VTB_DYNAMIC_SHARED(float2, tile);
  const T* const in = static_cast<const T*>(args.in) + args.first_channel;
  T* const out = static_cast<T*>(args.out);
  const float* const filter = args.filter;
  const int32_t height = args.height, width = args.width, lines = args.lines;
  const int32_t in_channels = args.in_channels, channels = args.channels;
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
  const int32_t tiles = padded(channels) / tile_channels;
  const int64_t tasks = static_cast<int64_t>(args.batch) * tiles;
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
  const int32_t tiles = padded(in_channels) / tile_channels;
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
__device__ __forceinline__ void filter_columns(const vtbc_global_filter_args& args) {
  VTB_DYNAMIC_SHARED(float2, tile);
  const float* const filter = args.filter;
  const int32_t height = args.height, width = args.width, channels = args.channels;
  const int32_t line = height * pairs, spectrum = width / 2 + 1;
  const int32_t stride = padded(channels), tiles = stride / tile_channels;
  const int32_t spare = 2 * line;
  float2* const roots = tile + spare + 2 * line;
  make_roots(roots, height);
  const bool filter_aligned = fits_vectors<float>(2 * channels, filter);
  const float scale = 0.5f / (static_cast<float>(height) * static_cast<float>(width));
  const int64_t tasks = static_cast<int64_t>(args.batch) * spectrum * tiles;
  for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
    const int32_t c0 = static_cast<int32_t>(task % tiles) * tile_channels, left = channels - c0;
    const int32_t v = static_cast<int32_t>(task / tiles % spectrum), minus_v = v == 0 ? 0 : width - v;
    float* map = args.scratch + task / tiles / spectrum * height * width * stride + c0;
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

template <typename T>
__device__ __forceinline__ void transform_rows_in(const vtbc_global_filter_args& args) {
  transform_rows(static_cast<const T*>(args.in) + args.first_channel, args.scratch,
                 static_cast<int64_t>(args.batch) * args.height, args.width, args.in_channels, args.channels,
                 padded(args.channels), args.lines);
}

template <typename T>
__device__ __forceinline__ void transform_rows_back(const vtbc_global_filter_args& args) {
  transform_rows(static_cast<const float*>(args.scratch), static_cast<T*>(args.out),
                 static_cast<int64_t>(args.batch) * args.height, args.width, padded(args.channels),
                 padded(args.channels), args.channels, args.lines);
}

// Lines that are transformed at a time in shared memory that holds whole maps; and all of it, in bytes.
int32_t lines_of_map(const vtbc_global_filter_args& args) {
  const int32_t longer = std::max(args.height, args.width);
  return std::min(longer, std::max(8, 512 / longer));
}

int64_t map_bytes(const vtbc_global_filter_args& args) {
  const int64_t elements =
      int64_t{args.height} * (args.width | 1) + int64_t{lines_of_map(args)} * std::max(args.height, args.width);
  return int64_t{sizeof(float2)} * (pairs * elements + args.height + args.width);
}

}  // namespace
}  // namespace vtb::global_filter

#define VTB_FILTER_KERNELS(name, ...) \
  VTB_KERNELS(name, vtbc_global_filter_args, vtb::block_threads, 2, vtb::global_filter::__VA_ARGS__<T>(args))
VTB_FILTER_KERNELS(vtb_global_filter, filter_maps)
VTB_FILTER_KERNELS(vtb_global_filter_rows, transform_rows_in)
VTB_FILTER_KERNELS(vtb_global_filter_rows_back, transform_rows_back)
VTB_KERNEL(vtb_global_filter_columns, float, vtbc_global_filter_args, vtb::block_threads, 2,
           vtb::global_filter::filter_columns(args))

extern "C" int64_t vtbc_global_filter_scratch(const vtbc_global_filter_args* args) {
  using namespace vtb::global_filter;
  if (map_bytes(*args) <= args->shared_memory) return 0;
  return int64_t{args->batch} * args->height * args->width * padded(args->channels) * int64_t{sizeof(float)};
}

extern "C" int32_t vtbc_global_filter_launch(vtbc_global_filter_args* args, vtbc_dtype dtype, vtbc_launch* launches) {
  using namespace vtb::global_filter;
  const int64_t batch = args->batch, height = args->height, width = args->width;
  const int64_t tiles = padded(args->channels) / tile_channels;
  if (map_bytes(*args) <= args->shared_memory) {
    args->lines = lines_of_map(*args);
    const int threads = height * width <= 256 ? 128 : vtb::block_threads;
    launches[0] = {vtb_global_filter_names[dtype], batch * tiles, threads, 1, map_bytes(*args), 0};
    return 1;
  }
  constexpr int64_t element = pairs * sizeof(float2);
  const int64_t line_bytes = element * ((width | 1) + width), root_bytes = width * int64_t{sizeof(float2)};
  const int64_t fitting = std::max<int64_t>(1, std::min(2048 / width, (args->shared_memory - root_bytes) / line_bytes));
  const int64_t lines = std::min(batch * height, fitting), blocks = vtb::divide_up(batch * height, lines) * tiles;
  const int64_t shared = lines * line_bytes + root_bytes;
  args->lines = static_cast<int32_t>(lines);
  launches[0] = {vtb_global_filter_rows_names[dtype], blocks, vtb::block_threads, 1, shared, 1};
  // Two columns, their spare room, and the roots.
  launches[1] = {"vtb_global_filter_columns",
                 batch * (width / 2 + 1) * tiles,
                 vtb::block_threads,
                 1,
                 height * (4 * element + int64_t{sizeof(float2)}),
                 1};
  launches[2] = {vtb_global_filter_rows_back_names[dtype], blocks, vtb::block_threads, 1, shared, 0};
  return 3;
}
