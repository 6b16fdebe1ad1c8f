// Loads and stores that end where the data ends; included after a simd header.
#pragma once

namespace vtb::VTB_ISA {

// The first n values, or a whole vector where there are more; zeros beyond.
template <typename T>
static inline Vec load_up_to(const T* from, int64_t n) {
  return n >= Vec::width ? Vec::load(from) : Vec::load_partial(from, static_cast<int>(n));
}

// The same of stores: n >= 0.
template <typename T>
static inline void store_up_to(Vec x, T* to, int64_t n) {
  if (n >= Vec::width) {
    x.store(to);
  } else {
    x.store_partial(to, static_cast<int>(n));
  }
}

}  // namespace vtb::VTB_ISA
