#include <algorithm>
#include <atomic>
#include <cstring>

#include "gemm/gemm.h"
#include "runtime/kernels.h"
#include "runtime/pool.h"

namespace vtb {
namespace {

uint32_t to_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Element types: of weights, and, two of them, of the product.
struct F32 {
  using Bits = uint32_t;
  static constexpr Bits exponent = 0x7f800000;
  static float to_float(Bits bits) { return from_bits(bits); }
  static Bits from_float(float value) { return to_bits(value); }
};

struct F16 {
  using Bits = uint16_t;
  static constexpr Bits exponent = 0x7c00;
  // Exponent and mantissa at fp32's place, then the difference of the exponent biases: right for subnormals too.
  static float to_float(Bits bits) {
    const float magnitude = from_bits((bits & 0x7fffu) << 13) * 0x1p112f;
    return bits & 0x8000 ? -magnitude : magnitude;
  }
};

struct BF16 {
  using Bits = uint16_t;
  static constexpr Bits exponent = 0x7f80;
  static float to_float(Bits bits) { return from_bits(static_cast<uint32_t>(bits) << 16); }
  // Halves to even, of finite numbers.
  static Bits from_float(float value) {
    const uint32_t bits = to_bits(value);
    return static_cast<Bits>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }
};

// Whether neither infinite nor NaN.
template <typename Type>
bool is_finite(typename Type::Bits bits) { return (bits & Type::exponent) != Type::exponent; }

// Fills a panel of nr channels from `channels` <= nr rows of the weight; false when one is not finite.
template <typename Source, typename Arithmetic>
bool pack_panel(const char* weight, int32_t channels, int32_t k, int32_t words, int32_t nr, char* packed) {
  using Bits = typename Source::Bits;
  using Packed = typename Arithmetic::Bits;
  constexpr int32_t per_word = sizeof(uint32_t) / sizeof(Packed);
  constexpr int32_t block = 64;  // of k: what is written of a panel at a time stays in L1
  Packed* panel = reinterpret_cast<Packed*>(packed);
  const auto at = [=](int32_t i, int32_t j) { return (int64_t{i / per_word} * nr + j) * per_word + i % per_word; };
  bool finite = true;
  const int32_t filled = words * per_word;
  for (int32_t begin = 0; begin < filled; begin += block) {
    const int32_t end = std::min(begin + block, filled);
    for (int32_t j = 0; j < nr; ++j) {
      const int32_t existing = j < channels ? std::min(end, k) : begin;
      const char* row = weight + int64_t{j} * k * static_cast<int64_t>(sizeof(Bits));
      int32_t i = begin;
      for (; i < existing; ++i) {
        Bits bits;
        std::memcpy(&bits, row + int64_t{i} * static_cast<int64_t>(sizeof bits), sizeof bits);
        const Packed value = Arithmetic::from_float(Source::to_float(bits));
        finite &= is_finite<Source>(bits) && is_finite<Arithmetic>(value);
        panel[at(i, j)] = value;
      }
      for (; i < end; ++i) panel[at(i, j)] = 0;
    }
  }
  return finite;
}

template <typename Source, typename Arithmetic>
vtb_status pack(const GemmKernel& kernel, vtb_pool* pool, const void* weight, int32_t n, int32_t k, char* packed) {
  const int32_t nr = kernel.nr, words = words_of(kernel, k);
  std::atomic<bool> finite{true};
  parallel_for(pool, (n + nr - 1) / nr, [&](int64_t index, int32_t) {
    const int64_t row_bytes = k * static_cast<int64_t>(sizeof(typename Source::Bits));
    const int64_t panel_bytes = int64_t{nr} * words * static_cast<int64_t>(sizeof(uint32_t));
    const char* rows = static_cast<const char*>(weight) + index * nr * row_bytes;
    const int32_t channels = std::min(nr, n - static_cast<int32_t>(index) * nr);
    char* panel = packed + index * panel_bytes;
    if (!pack_panel<Source, Arithmetic>(rows, channels, k, words, nr, panel)) finite = false;
  });
  return finite ? VTB_OK : VTB_NOT_FINITE;
}

template <typename Source>
vtb_status pack(const GemmKernel& kernel, vtb_pool* pool, const void* weight, int32_t n, int32_t k, void* packed) {
  char* panels = static_cast<char*>(packed);
  return kernel.k_per_word == 1 ? pack<Source, F32>(kernel, pool, weight, n, k, panels)
                                : pack<Source, BF16>(kernel, pool, weight, n, k, panels);
}

}  // namespace

int64_t gemm_packed_bytes(const GemmKernel& kernel, int32_t n, int32_t k) {
  const int64_t channels = int64_t{(n + kernel.nr - 1) / kernel.nr} * kernel.nr;
  return channels * words_of(kernel, k) * static_cast<int64_t>(sizeof(uint32_t));
}

vtb_status gemm_pack(const GemmKernel& kernel, vtb_pool* pool, const void* weight, vtb_dtype dtype, int32_t n,
                     int32_t k, void* packed) {
  switch (dtype) {
    case VTB_F16: return pack<F16>(kernel, pool, weight, n, k, packed);
    case VTB_BF16: return pack<BF16>(kernel, pool, weight, n, k, packed);
    default: return pack<F32>(kernel, pool, weight, n, k, packed);
  }
}

}  // namespace vtb

extern "C" {

int64_t vtb_gemm_packed_bytes(vtb_dtype arithmetic, int32_t n, int32_t k) {
  return vtb::gemm_packed_bytes(vtb::gemm_kernel(arithmetic, k), n, k);
}

vtb_status vtb_gemm_pack(vtb_pool* pool, const void* weight, vtb_dtype dtype, vtb_dtype arithmetic, int32_t n,
                         int32_t k, void* packed) {
  return vtb::gemm_pack(vtb::gemm_kernel(arithmetic, k), pool, weight, dtype, n, k, packed);
}

}  // extern "C"
