#include <algorithm>
#include <atomic>

#include "gemm/gemm.h"
#include "runtime/pool.h"
#include "runtime/rounding.h"
#include "shared/elements.h"

namespace vtb {
namespace {

// Of products alone: integers, times a scale of the channel.
struct Int8 {
  using Bits = int8_t;
  float inverse;  // of the scale
  static bool is_finite(Bits) { return true; }
  // Adding 1.5 * 2^23 rounds, halves to even, and leaves the integer in the lowest bits.
  Bits from_float(float value) const { return static_cast<Bits>(to_bits(value * inverse + 0x1.8p23f)); }
};

// Fills the words of a panel of nr channels from `channels` <= nr rows of the weight; false when one is not finite.
template <typename Source, typename Arithmetic, typename ArithmeticOf>
bool pack_words(const char* weight, int32_t channels, int32_t k, int32_t words, int32_t nr, char* packed,
                const ArithmeticOf& arithmetic_of) {
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
      const Arithmetic arithmetic = arithmetic_of(j);
      int32_t i = begin;
      for (; i < existing; ++i) {
        const Bits bits = read<Source>(row, i);
        const Packed value = arithmetic.from_float(Source::to_float(bits));
        finite &= Source::is_finite(bits) && Arithmetic::is_finite(value);
        panel[at(i, j)] = value;
      }
      for (; i < end; ++i) panel[at(i, j)] = 0;
    }
  }
  return finite;
}

// The same of a whole panel.
template <typename Source, typename Arithmetic>
bool pack_panel(const char* weight, int32_t channels, int32_t k, int32_t words, int32_t nr, char* packed) {
  const auto stateless = [](int32_t) { return Arithmetic(); };
  return pack_words<Source, Arithmetic>(weight, channels, k, words, nr, packed, stateless);
}

template <typename Source>
bool pack_int8_panel(const char* weight, int32_t channels, int32_t k, int32_t words, int32_t nr, char* packed) {
  int32_t* starts = reinterpret_cast<int32_t*>(packed);
  float* scales = reinterpret_cast<float*>(packed) + nr;
  int8_t* bytes = reinterpret_cast<int8_t*>(scales + nr);
  for (int32_t j = 0; j < nr; ++j) {
    const char* row = weight + int64_t{j} * k * static_cast<int64_t>(sizeof(typename Source::Bits));
    uint32_t largest = to_bits(int8_smallest);  // as bits, which are in the order of the magnitudes
    for (int32_t i = 0; i < k && j < channels; ++i) {
      largest = std::max(largest, to_bits(Source::to_float(read<Source>(row, i))) & 0x7fffffff);
    }
    scales[j] = from_bits(largest) / 127;
  }
  const auto scaled = [&](int32_t j) { return Int8{1 / scales[j]}; };
  const bool finite = pack_words<Source, Int8>(weight, channels, k, words, nr, reinterpret_cast<char*>(bytes), scaled);
  // The left operand is 128 too large.
  std::fill(starts, starts + nr, 0);
  for (int32_t i = 0; i < words; ++i) {
    for (int32_t j = 0; j < nr; ++j, bytes += 4) starts[j] -= 128 * (bytes[0] + bytes[1] + bytes[2] + bytes[3]);
  }
  return finite;
}

template <typename Source, typename PackPanel>
vtb_status pack(const GemmKernel& kernel, vtb_pool* pool, const void* weight, int32_t n, int32_t k, char* packed,
                const PackPanel& pack_panel) {
  const int32_t nr = kernel.nr, words = words_of(kernel, k);
  std::atomic<bool> finite{true};
  parallel_for(pool, divide_up(n, nr), [&](int64_t index, int32_t) {
    const int64_t row_bytes = k * static_cast<int64_t>(sizeof(typename Source::Bits));
    const int64_t panel_bytes = panel_words(kernel, k) * static_cast<int64_t>(sizeof(uint32_t));
    const char* rows = static_cast<const char*>(weight) + index * nr * row_bytes;
    const int32_t channels = std::min(nr, n - static_cast<int32_t>(index) * nr);
    char* panel = packed + index * panel_bytes;
    if (!pack_panel(rows, channels, k, words, nr, panel)) finite = false;
  });
  return finite ? VTB_OK : VTB_NOT_FINITE;
}

template <typename Source>
vtb_status pack(const GemmKernel& kernel, vtb_pool* pool, const void* weight, int32_t n, int32_t k, void* packed) {
  char* panels = static_cast<char*>(packed);
  switch (kernel.k_per_word) {
    case 1: return pack<Source>(kernel, pool, weight, n, k, panels, pack_panel<Source, F32>);
    case 2: return pack<Source>(kernel, pool, weight, n, k, panels, pack_panel<Source, BF16>);
    default: return pack<Source>(kernel, pool, weight, n, k, panels, pack_int8_panel<Source>);
  }
}

}  // namespace

int64_t gemm_packed_bytes(const GemmKernel& kernel, int32_t n, int32_t k) {
  return divide_up(n, kernel.nr) * panel_words(kernel, k) * static_cast<int64_t>(sizeof(uint32_t));
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
