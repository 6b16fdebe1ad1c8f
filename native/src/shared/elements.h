// The types that elements of weights come in.
#pragma once

#include <cstdint>
#include <cstring>

namespace vtb {

inline uint32_t to_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Element types of weights, by their bits. Neither NaN nor infinity is_finite; to_float is exact; from_float rounds
// finite numbers, halves to even.
struct F32 {
  using Bits = uint32_t;
  static bool is_finite(Bits bits) { return ~bits & 0x7f800000; }
  static float to_float(Bits bits) { return from_bits(bits); }
  static Bits from_float(float value) { return to_bits(value); }
};

struct F16 {
  using Bits = uint16_t;
  static bool is_finite(Bits bits) { return ~bits & 0x7c00; }
  // Exponent and mantissa at fp32's place, then the difference of the exponent biases: right for subnormals too.
  static float to_float(Bits bits) {
    const float magnitude = from_bits((bits & 0x7fffu) << 13) * 0x1p112f;
    return bits & 0x8000 ? -magnitude : magnitude;
  }
};

struct BF16 {
  using Bits = uint16_t;
  static bool is_finite(Bits bits) { return ~bits & 0x7f80; }
  static float to_float(Bits bits) { return from_bits(static_cast<uint32_t>(bits) << 16); }
  static Bits from_float(float value) {
    const uint32_t bits = to_bits(value);
    return static_cast<Bits>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }
};

// Element i of a row at any address.
template <typename Source>
typename Source::Bits read(const void* row, int64_t i) {
  typename Source::Bits bits;
  std::memcpy(&bits, static_cast<const char*>(row) + i * static_cast<int64_t>(sizeof bits), sizeof bits);
  return bits;
}

}  // namespace vtb
