#include <algorithm>
#include <cstring>

#include "preprocess/resample.h"
#include "runtime/dispatch.h"
#include "runtime/pool.h"
#include "runtime/rounding.h"

namespace vtb {
namespace {

Dispatched<ResampleKernel> kernels{
    {VTB_ISA_GENERIC, resample_u8_generic}, {VTB_ISA_AVX2, resample_u8_avx2}, {VTB_ISA_AVX512, resample_u8_avx512}};

// Output rows of a task. Neighbouring tasks filter the source rows on their border twice, a seventh of the work at this
// height when shrinking; in return a task's rows between the passes stay in its core's cache.
constexpr int32_t strip_rows = 28;

struct Strip {
  int32_t begin, end;                // output rows
  int32_t source_begin, source_end;  // source rows they are made of
};

Strip strip(const vtb_preprocess_args& args, int64_t index) {
  const int32_t begin = static_cast<int32_t>(index) * strip_rows;
  const int32_t end = std::min(args.out_height, begin + strip_rows);
  const int64_t source_end = int64_t{args.y_first[end - 1]} + args.y_taps;
  return {begin, end, args.y_first[begin], static_cast<int32_t>(std::min<int64_t>(args.height, source_end))};
}

int64_t strips(const vtb_preprocess_args& args) { return divide_up(args.out_height, strip_rows); }

// Bytes from the start of a source row that a horizontal kernel may load.
int64_t reach(const vtb_preprocess_args& args) {
  const int64_t last_tap = int64_t{args.x_first[args.out_width - 1]} + args.x_taps + 4;
  return last_tap * args.pixel_stride + 16;
}

int64_t source_stride(const vtb_preprocess_args& args) { return round_up(reach(args), 64); }

// A row between the passes: whole vectors, and room for the byte a horizontal kernel writes behind the last column.
int64_t filtered_stride(const vtb_preprocess_args& args) { return round_up(int64_t{args.out_width} * 3 + 1, 64); }

// One task's memory.
struct Scratch {
  uint8_t* output_row;  // [filtered_stride]
  uint8_t* source;    // [resample_rows, source_stride]: rows so near the image's end that a kernel would load beyond it
  uint8_t* filtered;  // [source rows of a strip, filtered_stride]
};

Scratch scratch_of(const vtb_preprocess_args& args, int32_t worker) {
  uint8_t* base = static_cast<uint8_t*>(args.scratch) + worker * vtb_preprocess_scratch(&args);
  uint8_t* source = base + filtered_stride(args);
  return {base, source, source + resample_rows * source_stride(args)};
}

void filter_columns(const vtb_preprocess_args& args, const Strip& strip, const Scratch& scratch) {
  const int64_t row_bytes = int64_t{args.width} * args.pixel_stride, row_reach = reach(args);
  const int64_t image_bytes = (args.height - 1) * args.row_stride + row_bytes;
  for (int32_t y = strip.source_begin; y < strip.source_end; y += resample_rows) {
    const uint8_t* in[resample_rows];
    uint8_t* out[resample_rows];
    for (int32_t r = 0; r < resample_rows; r++) {
      const int32_t row = std::min(y + r, strip.source_end - 1);  // the last block may do the last row again
      const int64_t start = row * args.row_stride;
      in[r] = args.pixels + start;
      if (start + row_reach > image_bytes) {
        uint8_t* copy = scratch.source + r * source_stride(args);
        const int64_t present = std::min(row_bytes, row_reach);
        std::memcpy(copy, in[r], present);
        std::memset(copy + present, 0, row_reach - present);
        in[r] = copy;
      }
      out[r] = scratch.filtered + (row - strip.source_begin) * filtered_stride(args);
    }
    kernels->horizontal(args, in, out);
  }
}

void normalise(const vtb_preprocess_args& args, const uint8_t* row, float* out) {
  const float* red = args.normalised;
  const float* green = red + 256;
  const float* blue = green + 256;
  for (int64_t i = 0; i < int64_t{args.out_width} * 3; i += 3) {
    out[i] = red[row[i]];
    out[i + 1] = green[row[i + 1]];
    out[i + 2] = blue[row[i + 2]];
  }
}

}  // namespace
}  // namespace vtb

extern "C" {

int64_t vtb_preprocess_scratch(const vtb_preprocess_args* args) {
  int32_t rows = 0;
  for (int64_t i = 0; i < vtb::strips(*args); i++) {
    const vtb::Strip strip = vtb::strip(*args, i);
    rows = std::max(rows, strip.source_end - strip.source_begin);
  }
  return (1 + rows) * vtb::filtered_stride(*args) + vtb::resample_rows * vtb::source_stride(*args);
}

vtb_status vtb_preprocess(vtb_pool* pool, const vtb_preprocess_args* args) {
  vtb::parallel_for(pool, vtb::strips(*args), [=](int64_t index, int32_t worker) {
    const vtb::Strip strip = vtb::strip(*args, index);
    const vtb::Scratch scratch = vtb::scratch_of(*args, worker);
    const int64_t stride = vtb::filtered_stride(*args);
    vtb::filter_columns(*args, strip, scratch);
    for (int32_t y = strip.begin; y < strip.end; y++) {
      const uint8_t* first = scratch.filtered + (args->y_first[y] - strip.source_begin) * stride;
      const int32_t* weights = args->y_weights + int64_t{y} * args->y_taps;
      const int32_t rows = strip.source_end - args->y_first[y];
      vtb::kernels->vertical(first, stride, rows, weights, args->y_taps, stride, scratch.output_row);
      vtb::normalise(*args, scratch.output_row, args->out + int64_t{y} * args->out_width * 3);
    }
  });
  return VTB_OK;
}

}  // extern "C"
