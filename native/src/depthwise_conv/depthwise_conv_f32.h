// Body of the depthwise convolution kernel; included after a simd header, in files that define strip_outputs: how many
// outputs of a row are summed in registers at once. One vector of channels at a time, every input is loaded once a
// kernel row and multiplied with all the taps that meet it. Borders cost nothing: inputs off the map are left out.
#pragma once

#include "depthwise_conv/depthwise_conv.h"
#include "runtime/rounding.h"
#include "shared/taps.h"
#include "simd/fast_activations.h"

namespace vtb::VTB_ISA {

// Up to Vec::width channels of an output frame.
struct ChannelVector {
  const float* weight;
  const float* bias;  // or null
  float* out;
  int lanes;
  int32_t phase;  // of the first channel among its input's `multiplier` outputs
};

// A part of the rows [row_begin, row_end) of an output frame.
struct Strip {
  int32_t row_begin, row_end;
  int32_t column, outputs;
  Taps times, columns;
};

// Where a strip's inputs are: frame t, row y, column x at
//      in + origin + t * frame_pitch + y * row_pitch + x * column_pitch
// with x counted from the strip's first column, which may be off the map.
struct StripInput {
  const float* in;
  int64_t origin, frame_pitch, row_pitch, column_pitch;
};

template <bool whole>
static inline Vec load_channels(const float* p, int lanes) {
  return whole ? Vec::load(p) : Vec::load_partial(p, lanes);
}

template <bool whole>
static inline void store_channels(Vec x, float* p, int lanes) {
  if (whole) {
    x.store(p);
  } else {
    x.store_partial(p, lanes);
  }
}

// Out of line and after the sums are stored: inlined for every output in registers it would be most of the code.
template <bool whole>
__attribute__((noinline)) static void activate_strip(const vtb_depthwise_conv_args& args, float* out, int32_t outputs,
                                                     int lanes) {
  for (int32_t o = 0; o < outputs; ++o, out += args.channels) {
    store_channels<whole>(fast_activate(args.activation, load_channels<whole>(out, lanes)), out, lanes);
  }
}

// Calls sum(weights of a kernel row, offset of its inputs) for the kernel rows that meet the map at an output row.
template <typename Sum>
static inline void for_kernel_rows(const vtb_depthwise_conv_args& args, const ChannelVector& channels,
                                   const Strip& strip, const StripInput& input, int32_t row, const Sum& sum) {
  const Taps rows = taps_on_map(row, args.stride_height, args.padding_height, args.size_height, args.height);
  const int64_t weight_pitch = int64_t{args.size_width} * args.channels;
  for (int32_t t = strip.times.begin; t < strip.times.end; ++t) {
    const float* weight = channels.weight + (int64_t{t} * args.size_height + rows.begin) * weight_pitch;
    int64_t at =
        input.origin + (strip.times.first + t) * input.frame_pitch + (rows.first + rows.begin) * input.row_pitch;
    for (int32_t y = rows.begin; y < rows.end; ++y, weight += weight_pitch, at += input.row_pitch) sum(weight, at);
  }
}

// Stops the compiler from computing outside the loops, for all the columns at once, what costs an instruction a column
// and does not fit the registers.
static inline void opaque(uint64_t& x) { asm volatile("" : "+r"(x)); }

// Stops it from loading an input again for every output.
static inline void opaque(Vec& x) { asm("" : "+v"(x.v)); }

// Kernels of width `size` moved by `stride` columns, outputs of a strip in registers.
template <int size, int stride, bool whole>
static void convolve_strip(const vtb_depthwise_conv_args& args, const ChannelVector& channels, const Strip& strip,
                           const StripInput& input) {
  constexpr int columns = (strip_outputs - 1) * stride + size;
  static_assert(columns < 64, "a column is a bit");
  const int lanes = channels.lanes;
  const uint64_t column_bytes = input.column_pitch * sizeof(float);
  const uint64_t on_map = strip.columns.end > strip.columns.begin
                              ? (uint64_t{1} << strip.columns.end) - (uint64_t{1} << strip.columns.begin)
                              : 0;
  for (int32_t row = strip.row_begin; row < strip.row_end; ++row) {
    Vec sums[strip_outputs];
    sums[0] = channels.bias ? load_channels<whole>(channels.bias, lanes) : Vec::zero();
#pragma GCC unroll 16
    for (int o = 1; o < strip_outputs; ++o) sums[o] = sums[0];
    for_kernel_rows(
        args, channels, strip, input, row, [&](const float* weight, int64_t at) __attribute__((always_inline)) {
          Vec weights[size];
#pragma GCC unroll 8
          for (int x = 0; x < size; ++x) weights[x] = load_channels<whole>(weight + x * int64_t{args.channels}, lanes);
          uint64_t bits = on_map;
          opaque(bits);
          uint64_t address = reinterpret_cast<uint64_t>(input.in) + at * sizeof(float);
#pragma GCC unroll 64
          for (int column = 0; column < columns; ++column, address += column_bytes, opaque(address)) {
            if (!(bits >> column & 1)) continue;
            Vec in = load_channels<whole>(reinterpret_cast<const float*>(address), lanes);
            opaque(in);
#pragma GCC unroll 16
            for (int o = 0; o < strip_outputs; ++o) {
              const int x = column - o * stride;
              if (x >= 0 && x < size) sums[o] = fma(in, weights[x], sums[o]);
            }
          }
        });
    float* out = channels.out + (int64_t{row} * args.out_width + strip.column) * args.channels;
#pragma GCC unroll 16
    for (int o = 0; o < strip_outputs; ++o) {
      if (o < strip.outputs) store_channels<whole>(sums[o], out + o * int64_t{args.channels}, lanes);
    }
    if (args.activation != VTB_IDENTITY) activate_strip<whole>(args, out, strip.outputs, lanes);
  }
}

// Any kernel, one output at a time.
template <bool whole>
static void convolve_any(const vtb_depthwise_conv_args& args, const ChannelVector& channels, const Strip& strip,
                         const StripInput& input) {
  const int lanes = channels.lanes;
  for (int32_t row = strip.row_begin; row < strip.row_end; ++row) {
    float* out = channels.out + (int64_t{row} * args.out_width + strip.column) * args.channels;
    for (int32_t o = 0; o < strip.outputs; ++o) {
      const Taps taps =
          taps_on_map(strip.column + o, args.stride_width, args.padding_width, args.size_width, args.width);
      Vec sum = channels.bias ? load_channels<whole>(channels.bias, lanes) : Vec::zero();
      for_kernel_rows(args, channels, strip, input, row, [&](const float* weight, int64_t at) {
        for (int32_t x = taps.begin; x < taps.end; ++x) {
          const float* in = input.in + (at + (o * args.stride_width + x) * input.column_pitch);
          float repeated[Vec::width];
          if (args.multiplier > 1) {
            for (int i = 0; i < lanes; ++i) repeated[i] = in[(channels.phase + i) / args.multiplier];
            in = repeated;
          }
          const Vec weights = load_channels<whole>(weight + x * int64_t{args.channels}, lanes);
          sum = fma(load_channels<whole>(in, lanes), weights, sum);
        }
      });
      store_channels<whole>(sum, out + o * int64_t{args.channels}, lanes);
    }
    if (args.activation != VTB_IDENTITY) activate_strip<whole>(args, out, strip.outputs, lanes);
  }
}

using Convolve = void (*)(const vtb_depthwise_conv_args& args, const ChannelVector& channels, const Strip& strip,
                          const StripInput& input);

template <bool whole>
static Convolve choose_convolve(const vtb_depthwise_conv_args& args) {
  if (args.multiplier == 1 && args.stride_width == 1) {
    switch (args.size_width) {
      case 3: return convolve_strip<3, 1, whole>;
      case 5: return convolve_strip<5, 1, whole>;
      case 7: return convolve_strip<7, 1, whole>;
    }
  }
  if (args.multiplier == 1 && args.stride_width == 2) {
    switch (args.size_width) {
      case 3: return convolve_strip<3, 2, whole>;
      case 5: return convolve_strip<5, 2, whole>;
      case 7: return convolve_strip<7, 2, whole>;
    }
  }
  return convolve_any<whole>;
}

// A pixel's distance from the next of a multiple of 1 KiB leaves the pixels of a vector few sets of the first-level
// cache, from which rows drop before the next kernel row reads them.
static bool has_distant_pixels(const vtb_depthwise_conv_args& args) { return args.in_channels % 256 == 0; }

// Whether a strip's inputs are copied together first, which pays when there are many kernel rows.
static bool copies_input(const vtb_depthwise_conv_args& args) {
  return has_distant_pixels(args) && args.multiplier == 1 && args.size_height >= 7;
}

// Rows of the map, or beyond it, that `rows` output rows read.
static int32_t rows_read(const vtb_depthwise_conv_args& args, int32_t rows) {
  return (rows - 1) * args.stride_height + args.size_height;
}

static int32_t strip_columns(const vtb_depthwise_conv_args& args) {
  return (strip_outputs - 1) * args.stride_width + args.size_width;
}

// Floats that hold the inputs of a strip, one vector of channels of them.
static int64_t packed_floats(const vtb_depthwise_conv_args& args, int32_t rows) {
  return int64_t{args.size_time} * rows_read(args, rows) * strip_columns(args) * Vec::width;
}

static int64_t convolve_scratch(const vtb_depthwise_conv_args& args, int32_t rows, int32_t channels) {
  if (!copies_input(args)) return 0;
  const int64_t vectors = divide_up(channels, Vec::width);
  return round_up(vectors * packed_floats(args, rows) * int64_t{sizeof(float)}, 64);
}

// Copies a strip's inputs, `channels` of them a pixel, to `packed`: one vector of channels after the other, the frames,
// rows and columns of each as close as can be. All the channels of a pixel are read together: cache line after cache
// line, which a core fetches ahead. Returns where the inputs of the first vector then are.
static StripInput pack_input(const vtb_depthwise_conv_args& args, const Strip& strip, const StripInput& input,
                             int32_t channels, float* packed) {
  constexpr int w = Vec::width;
  const int32_t rows = rows_read(args, strip.row_end - strip.row_begin);
  const int64_t row_pitch = strip_columns(args) * w, frame_pitch = rows * row_pitch;
  const int64_t vector_pitch = packed_floats(args, strip.row_end - strip.row_begin);
  const int32_t first_row = strip.row_begin * args.stride_height - args.padding_height;
  for (int32_t t = strip.times.begin; t < strip.times.end; ++t) {
    for (int32_t y = 0; y < rows; ++y) {
      if (first_row + y < 0 || first_row + y >= args.height) continue;
      const int64_t from =
          input.origin + (strip.times.first + t) * input.frame_pitch + (first_row + y) * input.row_pitch;
      for (int32_t x = strip.columns.begin; x < strip.columns.end; ++x) {
        const float* in = input.in + (from + x * input.column_pitch);
        float* to = packed + t * frame_pitch + y * row_pitch + x * w;
        int32_t c = 0;
        for (; c + w <= channels; c += w, to += vector_pitch) Vec::load(in + c).store(to);
        if (c < channels) Vec::load_partial(in + c, channels - c).store(to);
      }
    }
  }
  return {packed, -strip.times.first * frame_pitch - first_row * row_pitch, frame_pitch, row_pitch, w};
}

static void convolve_block(const vtb_depthwise_conv_args& args, const DepthwiseConvBlock& block, void* scratch) {
  const Convolve whole = choose_convolve<true>(args), partial = choose_convolve<false>(args);
  const bool packs = copies_input(args);
  const int64_t row_floats = int64_t{args.width} * args.in_channels, frame_floats = args.height * row_floats;
  const float* in = args.in + block.image * args.time * frame_floats + args.first_channel;
  const int64_t frame = block.image * args.out_time + block.frame;
  float* out = args.out + frame * args.out_height * args.out_width * args.channels;
  // All rows of a strip before the next: what neighbouring rows share is then still in the first-level cache.
  for (int32_t column = 0; column < args.out_width; column += strip_outputs) {
    const int32_t left = args.out_width - column, outputs = left < strip_outputs ? left : strip_outputs;
    const int32_t columns = (outputs - 1) * args.stride_width + args.size_width;
    const Strip strip = {block.row_begin,
                         block.row_end,
                         column,
                         outputs,
                         taps_on_map(block.frame, args.stride_time, args.padding_time, args.size_time, args.time),
                         taps_on_map(column, args.stride_width, args.padding_width, columns, args.width)};
    StripInput input = {in, int64_t{strip.columns.first} * args.in_channels, frame_floats, row_floats,
                        args.in_channels};
    if (packs) {
      input.in += block.channel_begin;
      input = pack_input(args, strip, input, block.channel_end - block.channel_begin, static_cast<float*>(scratch));
    }
    // All rows of a vector of channels before the next vector, unless they drop from the cache before they are read
    // again: then at least a row's cache lines lie side by side.
    Strip part = strip;
    const int32_t rows_at_once = packs || !has_distant_pixels(args) ? strip.row_end - strip.row_begin : 1;
    for (part.row_begin = strip.row_begin; part.row_begin < strip.row_end; part.row_begin = part.row_end) {
      part.row_end = part.row_begin + rows_at_once;
      for (int32_t c = block.channel_begin; c < block.channel_end; c += Vec::width) {
        const int lanes = block.channel_end - c < Vec::width ? block.channel_end - c : Vec::width;
        const ChannelVector channels = {args.weight + c, args.bias ? args.bias + c : nullptr, out + c, lanes,
                                        c % args.multiplier};
        if (!packs) input.in = in + c / args.multiplier;
        (lanes == Vec::width ? whole : partial)(args, channels, part, input);
        if (packs) input.in += packed_floats(args, block.row_end - block.row_begin);
      }
    }
  }
}

}  // namespace vtb::VTB_ISA
