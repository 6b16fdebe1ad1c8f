// The two passes of image resizing (Pillow's algorithm, Resample.c: separable, 8 bits in between, 22-bit fixed-point
// weights).
#pragma once

#include <cstdint>

#include "vertebra.h"

namespace vtb {

// Source rows that one horizontal call filters: the weights of a column are loaded once for all of them.
constexpr int resample_rows = 4;

// Weights are held as vtb_preprocess_args says: 22 fractional bits, split 11 bits from the end so that both parts fit
// the 16-bit multiplications. Sums wrap modulo 2^32, which is harmless: the whole sum fits 32 bits.
constexpr int weight_split = 11;
constexpr int weight_bits = 22;

struct ResampleKernel {
  const char* name;

  // Column x of row i becomes three bytes at out[i] + 3 * x; one byte behind the last column may be overwritten. Loads
  // 16 bytes wherever a group of four taps starts, and may do so for one group more than there is.
  void (*horizontal)(const vtb_preprocess_args& args, const uint8_t* const* rows, uint8_t* const* out);

  // One output row of `bytes` bytes, a multiple of 64, from `taps` rows starting at `in`, `stride` bytes apart. Behind
  // row `rows` - 1 weights are zero, and that row is read instead.
  void (*vertical)(const uint8_t* in, int64_t stride, int32_t rows, const int32_t* weights, int32_t taps, int64_t bytes,
                   uint8_t* out);
};

extern const ResampleKernel resample_u8_generic, resample_u8_avx2, resample_u8_avx512;

}  // namespace vtb
