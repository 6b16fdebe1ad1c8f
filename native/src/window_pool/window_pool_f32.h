// Body of the window pooling kernel; included after a simd header.
#pragma once

#include "shared/taps.h"
#include "window_pool/window_pool.h"

namespace vtb::VTB_ISA {

struct PoolWindow {
  Taps times, rows, columns;
  const float* image;
  float count;  // positions on the map
};

// `vectors` whole vectors of one output position, from channel `channel` on; or one of `lanes` channels, if not 0.
template <bool average, int vectors>
static inline void pool_vectors(const vtb_window_pool_args& args, const PoolWindow& window, int32_t channel, int lanes,
                                float* out) {
  const float start = average ? 0 : -__builtin_inff();
  Vec result[vectors];
#pragma GCC unroll 4
  for (int v = 0; v < vectors; ++v) result[v] = Vec::broadcast(start);
  for (int32_t t = window.times.begin; t < window.times.end; ++t) {
    for (int32_t y = window.rows.begin; y < window.rows.end; ++y) {
      const int64_t row = int64_t{window.times.first + t} * args.height + window.rows.first + y;
      for (int32_t x = window.columns.begin; x < window.columns.end; ++x) {
        const float* in = window.image + (row * args.width + window.columns.first + x) * args.channels + channel;
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) {
          const Vec value = lanes ? Vec::load_partial(in, lanes) : Vec::load(in + v * Vec::width);
          // The larger takes a new NaN; one that is there stays.
          const Vec old = result[v];
          result[v] = average ? old + value : blend(equal(old, old), max(old, value), old);
        }
      }
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < vectors; ++v) {
    if (average) result[v] = result[v] / Vec::broadcast(window.count);
    if (lanes) {
      result[v].store_partial(out + channel, lanes);
    } else {
      result[v].store(out + channel + v * Vec::width);
    }
  }
}

template <bool average>
static void pool_position(const vtb_window_pool_args& args, const PoolWindow& window, float* out) {
  constexpr int w = Vec::width;
  int32_t c = 0;
  for (; c + 4 * w <= args.channels; c += 4 * w) pool_vectors<average, 4>(args, window, c, 0, out);
  for (; c + w <= args.channels; c += w) pool_vectors<average, 1>(args, window, c, 0, out);
  if (c < args.channels) pool_vectors<average, 1>(args, window, c, args.channels - c, out);
}

static void pool_row(const vtb_window_pool_args& args, int64_t row) {
  const int32_t y = static_cast<int32_t>(row % args.out_height);
  const int32_t t = static_cast<int32_t>(row / args.out_height % args.out_time);
  const int64_t image = row / args.out_height / args.out_time;
  PoolWindow window;
  window.times = taps_on_map(t, args.stride_time, args.padding_time, args.size_time, args.time);
  window.rows = taps_on_map(y, args.stride_height, args.padding_height, args.size_height, args.height);
  window.image = args.in + image * args.time * args.height * args.width * args.channels;
  float* out = args.out + row * args.out_width * args.channels;
  for (int32_t x = 0; x < args.out_width; ++x, out += args.channels) {
    window.columns = taps_on_map(x, args.stride_width, args.padding_width, args.size_width, args.width);
    window.count = static_cast<float>((window.times.end - window.times.begin) * (window.rows.end - window.rows.begin) *
                                      (window.columns.end - window.columns.begin));
    if (args.average) {
      pool_position<true>(args, window, out);
    } else {
      pool_position<false>(args, window, out);
    }
  }
}

}  // namespace vtb::VTB_ISA
