// The global filter; see "global filter" in vertebra.h.
#pragma once

#include <cstdint>

#include "vertebra.h"

namespace vtb {

// How a discrete Fourier transform of one length is computed: a pass a factor.
struct DftPlan {
  int32_t length;
  int32_t factors;
  int32_t radix[20];  // their product is the length
  // Pairs (cos, sin) of what each pass needs, one pass after the other. With `parts` the product of the later radices
  // and root(x) the pair of 2 pi x:
  //      root(i / radix) for i < radix, then
  //      root(k p / (parts * radix)) for 0 < p < parts and 0 < k < radix, k fastest.
  const float* roots;
};

struct GlobalFilterKernel {
  const char* name;
  int32_t tile_channels;
  // Bytes one thread needs for a map of this size; a multiple of 64.
  int64_t (*scratch)(int32_t height, int32_t width);
  // Filters the channels [channel, channel + tile_channels), those there are, of one image. `rows` transforms a row of
  // the map, `columns` a column. `scratch` is one thread's.
  void (*run)(const vtb_global_filter_args& args, const DftPlan& rows, const DftPlan& columns, int64_t image,
              int32_t channel, void* scratch);
};

extern const GlobalFilterKernel global_filter_f32_generic, global_filter_f32_avx2, global_filter_f32_avx512;

}  // namespace vtb
