// The part of a sliding window that lies on the map; included after a simd header.
#pragma once

#include <cstdint>

namespace vtb::VTB_ISA {

// Along one axis, taps begin ... end - 1 of a window lie on the map, tap t at position first + t.
struct Taps {
  int32_t first, begin, end;
};

// The window of output `index` over a map of `length` positions.
static inline Taps taps_on_map(int32_t index, int32_t stride, int32_t padding, int32_t size, int32_t length) {
  const int32_t first = index * stride - padding;
  return {first, first < 0 ? -first : 0, length - first < size ? length - first : size};
}

}  // namespace vtb::VTB_ISA
