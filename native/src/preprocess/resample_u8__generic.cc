#include "preprocess/resample.h"

namespace vtb::generic {
namespace {

// Tap t of weights as vtb_preprocess_args packs them.
uint32_t weight(const int32_t* weights, int t) {
  const int32_t* group = weights + t / 4 * 4;
  const int shift = t % 2 * 16;
  const int16_t high = static_cast<int16_t>(static_cast<uint32_t>(group[t % 4 / 2]) >> shift);
  const int16_t low = static_cast<int16_t>(static_cast<uint32_t>(group[2 + t % 4 / 2]) >> shift);
  return (static_cast<uint32_t>(high) << weight_split) + static_cast<uint32_t>(low);
}

uint8_t rounded(uint32_t sum) {
  const int32_t value = static_cast<int32_t>(sum + (1u << (weight_bits - 1))) >> weight_bits;
  return static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

void horizontal(const vtb_preprocess_args& args, const uint8_t* const* rows, uint8_t* const* out) {
  const int32_t offsets[3] = {args.red, args.green, args.blue};
  for (int64_t x = 0; x < args.out_width; x++) {
    const int32_t* weights = args.x_weights + x * args.x_taps;
    uint32_t sums[resample_rows][3] = {};
    for (int t = 0; t < args.x_taps; t++) {
      const uint32_t k = weight(weights, t);
      const int64_t pixel = (int64_t{args.x_first[x]} + t) * args.pixel_stride;
      for (int r = 0; r < resample_rows; r++) {
        for (int c = 0; c < 3; c++) {
          sums[r][c] += k * rows[r][pixel + offsets[c]];
        }
      }
    }
    for (int r = 0; r < resample_rows; r++) {
      for (int c = 0; c < 3; c++) {
        out[r][3 * x + c] = rounded(sums[r][c]);
      }
    }
  }
}

void vertical(const uint8_t* in, int64_t stride, int32_t rows, const int32_t* weights, int32_t taps, int64_t bytes,
              uint8_t* out) {
  constexpr int kBlock = 64;
  for (int64_t i = 0; i < bytes; i += kBlock) {
    uint32_t sums[kBlock] = {};
    for (int t = 0; t < taps; t++) {
      const uint32_t k = weight(weights, t);
      const uint8_t* row = in + (t < rows ? t : rows - 1) * stride + i;
      for (int j = 0; j < kBlock; j++) {
        sums[j] += k * row[j];
      }
    }
    for (int j = 0; j < kBlock; j++) {
      out[i + j] = rounded(sums[j]);
    }
  }
}

}  // namespace
}  // namespace vtb::generic

const vtb::ResampleKernel vtb::resample_u8_generic = {"resample_u8__generic", generic::horizontal, generic::vertical};
