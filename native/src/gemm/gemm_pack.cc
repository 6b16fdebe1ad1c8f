#include <algorithm>
#include <atomic>
#include <cstring>

#include "gemm/gemm.h"
#include "runtime/kernels.h"
#include "runtime/pool.h"

namespace vtb {
namespace {

float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

struct F32 {
  using Bits = uint32_t;
  static constexpr Bits exponent = 0x7f800000;
  static float to_float(Bits bits) { return from_bits(bits); }
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
};

// Fills a panel of nr channels from `channels` <= nr rows of the weight; false when one is not finite.
template <typename Type>
bool pack_panel(const char* weight, int32_t channels, int32_t k, int32_t nr, float* panel) {
  using Bits = typename Type::Bits;
  constexpr int32_t block = 64;  // of k: what is written of a panel at a time stays in L1
  bool finite = true;
  for (int32_t begin = 0; begin < k; begin += block) {
    const int32_t end = std::min(begin + block, k);
    for (int32_t j = 0; j < nr; ++j) {
      if (j >= channels) {
        for (int32_t i = begin; i < end; ++i) panel[int64_t{i} * nr + j] = 0;
        continue;
      }
      const char* row = weight + int64_t{j} * k * static_cast<int64_t>(sizeof(Bits));
      for (int32_t i = begin; i < end; ++i) {
        Bits bits;
        std::memcpy(&bits, row + int64_t{i} * static_cast<int64_t>(sizeof bits), sizeof bits);
        finite &= (bits & Type::exponent) != Type::exponent;
        panel[int64_t{i} * nr + j] = Type::to_float(bits);
      }
    }
  }
  return finite;
}

template <typename Type>
vtb_status pack(vtb_pool* pool, const void* weight, int32_t n, int32_t k, float* packed) {
  const int32_t nr = kernels().gemm.nr;
  std::atomic<bool> finite{true};
  parallel_for(pool, (n + nr - 1) / nr, [&](int64_t index, int32_t) {
    const int64_t row_bytes = k * static_cast<int64_t>(sizeof(typename Type::Bits));
    const char* rows = static_cast<const char*>(weight) + index * nr * row_bytes;
    const int32_t channels = std::min(nr, n - static_cast<int32_t>(index) * nr);
    if (!pack_panel<Type>(rows, channels, k, nr, packed + index * nr * k)) finite = false;
  });
  return finite ? VTB_OK : VTB_NOT_FINITE;
}

}  // namespace
}  // namespace vtb

extern "C" {

int64_t vtb_gemm_packed_bytes(int32_t n, int32_t k) {
  const int64_t nr = vtb::kernels().gemm.nr;
  return (n + nr - 1) / nr * nr * k * static_cast<int64_t>(sizeof(float));
}

vtb_status vtb_gemm_pack(vtb_pool* pool, const void* weight, vtb_dtype dtype, int32_t n, int32_t k, void* packed) {
  float* panels = static_cast<float*>(packed);
  switch (dtype) {
    case VTB_F16: return vtb::pack<vtb::F16>(pool, weight, n, k, panels);
    case VTB_BF16: return vtb::pack<vtb::BF16>(pool, weight, n, k, panels);
    default: return vtb::pack<vtb::F32>(pool, weight, n, k, panels);
  }
}

}  // extern "C"
