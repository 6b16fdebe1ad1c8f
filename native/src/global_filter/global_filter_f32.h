// The body of the global filter, written once over Vec. Included by global_filter_f32__<isa>.cc, which first gives
// deinterleave.
//
// A tile is two vectors of channels, taken as the real and the imaginary part of one complex map z, so that a plain
// complex transform serves, whatever the parity of the sizes. With Z = fft2(z) and Z'[u, v] = conj(Z[-u, -v]) the two
// channels' spectra are
//      (Z + Z') / 2   and   (Z - Z') / 2i,
// and as each is Hermitian, the stored half of the filter gives the products at [u, v] and at [-u, -v]. These two are
// stored in each other's place, so that another forward transform takes them back.
#pragma once

#include "global_filter/dft_f32.h"
#include "runtime/rounding.h"
#include "simd/partial.h"

namespace vtb::VTB_ISA {
namespace {

// One thread's memory for a map: floats of the tile, then of two columns (or one row), then of transform's work.
struct Layout {
  int64_t pitch;  // floats from a row of the tile to the next
  int64_t line;   // floats of the longer of a row and a column

  // An odd number of vectors, so that a column spreads over all cache sets.
  Layout(int32_t height, int32_t width)
      : pitch((int64_t{2} * width + 1) * Vec::width),
        line(int64_t{2} * (height > width ? height : width) * Vec::width) {}
};

int64_t scratch_bytes(int32_t height, int32_t width) {
  const Layout layout(height, width);
  const int64_t longer = height > width ? height : width;
  const int64_t floats = layout.pitch * height + 2 * layout.line + transform_vectors(longer) * Vec::width;
  return round_up(floats * int64_t{sizeof(float)}, 64);
}

// Up to a vector of complex factors, interleaved in memory.
inline Complex load_filter(const float* from, int64_t n, Vec scale) {
  if (n <= 0) return {Vec::zero(), Vec::zero()};
  const int64_t beyond = 2 * n - Vec::width;
  Complex f;
  deinterleave(load_up_to(from, 2 * n), load_up_to(from + Vec::width, beyond > 0 ? beyond : 0), &f.re, &f.im);
  return {f.re * scale, f.im * scale};
}

inline Complex multiply(Complex a, Complex b) { return {a.re * b.re - a.im * b.im, fma(a.re, b.im, a.im * b.re)}; }

// Asks for `count` pieces of `floats` floats, `stride` floats apart, to be brought near. Pieces so short and far apart
// are beyond what a processor foresees.
inline void prefetch(const float* from, int64_t count, int64_t stride, int64_t floats) {
  constexpr int64_t line = 16;
  for (int64_t i = 0; i < count; ++i, from += stride) {
    for (int64_t at = 0; at < floats; at += line) __builtin_prefetch(from + at, 0, 2);
  }
}

// From Z[u, v] and Z[-u, -v] to the products in each other's place. `scale` includes the factor 1/2; n channels are
// left.
inline void filter_pair(const float* filter, int64_t n, Vec scale, float* here, float* there) {
  const Complex z = load(here), m = load(there);
  const Complex a = multiply({z.re + m.re, z.im - m.im}, load_filter(filter, n, scale));
  const Complex b = multiply({z.im + m.im, m.re - z.re}, load_filter(filter + 2 * Vec::width, n - Vec::width, scale));
  store({a.re + b.im, b.re - a.im}, here);
  store(add_i_times(a, b), there);
}

// Columns v and -v at a time: transform, filter, transform.
void filter_columns(const vtb_global_filter_args& args, const DftPlan& plan, int32_t channel, const Layout& layout,
                    float* tile) {
  constexpr int element = 2 * Vec::width;
  const int32_t height = args.height, width = args.width, spectrum = width / 2 + 1;
  const Vec scale = Vec::broadcast(0.5f / (static_cast<float>(height) * static_cast<float>(width)));
  float* lines = tile + layout.pitch * height;
  float* work = lines + 2 * layout.line;
  for (int32_t v = 0; v < spectrum; ++v) {
    const int32_t minus_v = v == 0 ? 0 : width - v;
    const bool self = v == minus_v;
    const Target in_tile[2] = {{tile + int64_t{v} * element, layout.pitch},
                               {tile + int64_t{minus_v} * element, layout.pitch}};
    const Target column[2] = {{lines, element}, {self ? lines : lines + layout.line, element}};
    for (int i = 0; i < (self ? 1 : 2); ++i) transform(plan, in_tile[i], column[i], work);
    const int32_t end = self ? height / 2 + 1 : height;
    const float* filter = args.filter + 2 * (int64_t{v} * args.channels + channel);
    for (int32_t u = 0; u < end; ++u, filter += int64_t{2} * spectrum * args.channels) {
      filter_pair(filter, args.channels - channel, scale, column[0].data + int64_t{u} * element,
                  column[1].data + int64_t{u == 0 ? 0 : height - u} * element);
    }
    for (int i = 0; i < (self ? 1 : 2); ++i) transform(plan, column[i], in_tile[i], work);
  }
}

void run(const vtb_global_filter_args& args, const DftPlan& rows, const DftPlan& columns, int64_t image,
         int32_t channel, void* scratch) {
  constexpr int w = Vec::width, element = 2 * w;
  const Layout layout(args.height, args.width);
  const int64_t n = args.channels - channel, second = n > w ? n - w : 0;
  const bool whole = n >= element;
  const int64_t spectrum = args.width / 2 + 1, row_floats = int64_t{args.width} * args.in_channels;
  float* tile = static_cast<float*>(scratch);
  float* spare = tile + layout.pitch * args.height;
  float* work = spare + 2 * layout.line;
  for (int32_t y = 0; y < args.height; ++y) {
    const float* in = args.in + (image * args.height + y) * row_floats + args.first_channel + channel;
    if (!whole) {
      for (int64_t x = 0; x < args.width; ++x) {
        const float* from = in + x * args.in_channels;
        store({load_up_to(from, n), second ? load_up_to(from + w, second) : Vec::zero()}, spare + x * element);
      }
    }
    prefetch(args.filter + 2 * (y * spectrum * args.channels + channel), spectrum, 2 * args.channels, 2 * element);
    if (y + 2 < args.height) prefetch(in + 2 * row_floats, args.width, args.in_channels, element);
    const Source row = whole ? Source{in, args.in_channels} : Source{spare, element};
    transform(rows, row, {tile + y * layout.pitch, element}, work);
  }
  filter_columns(args, columns, channel, layout, tile);
  for (int32_t y = 0; y < args.height; ++y) {
    float* out = args.out + (image * args.height + y) * args.width * args.channels + channel;
    const Target row = whole ? Target{out, args.channels} : Target{spare, element};
    transform(rows, {tile + y * layout.pitch, element}, row, work);
    for (int32_t x = 0; x < args.width && !whole; ++x, out += args.channels) {
      const Complex value = load(spare + int64_t{x} * element);
      store_up_to(value.re, out, n);
      if (second) store_up_to(value.im, out + w, second);
    }
  }
}

}  // namespace
}  // namespace vtb::VTB_ISA
