#include "measure/measure.h"
#include "simd/amx.h"

namespace vtb::amx {

template <bool bytes, int sums, int a, int b>
static void dot() {
  if constexpr (bytes) {
    Tiles::dot_bytes<sums, a, b>();
  } else {
    Tiles::dot<sums, a, b>();
  }
}

// Multiplies tiles in which every word, of bytes or of bf16, is `word`.
template <bool bytes, uint32_t word>
static double run_fma(int64_t rounds, float* sink) {
  // Four tiles of sums, as the kernel has; two of each operand.
  uint32_t bits[256];
  for (uint32_t& each : bits) each = word;
  alignas(64) float words[256];
  __builtin_memcpy(words, bits, sizeof words);
  Tiles::configure();
  Tiles::zero<0>();
  Tiles::zero<1>();
  Tiles::zero<2>();
  Tiles::zero<3>();
  Tiles::load<4>(words, 16);
  Tiles::load<5>(words, 16);
  Tiles::load<6>(words, 16);
  Tiles::load<7>(words, 16);
  for (int64_t round = 0; round < rounds; ++round) {
    dot<bytes, 0, 4, 6>();
    dot<bytes, 1, 4, 7>();
    dot<bytes, 2, 5, 6>();
    dot<bytes, 3, 5, 7>();
  }
  Tiles::store<0>(words, 16);
  *sink = words[0];
  Tiles::release();
  return 4.0 * 2 * 16 * 16 * (bytes ? 64 : 32) * static_cast<double>(rounds);
}

}  // namespace vtb::amx

const vtb::FmaKernel vtb::fma_bf16_amx = {"fma_bf16__amx", amx::run_fma<false, 0x3c003c00>};  // 2^-7
const vtb::FmaKernel vtb::fma_int8_amx = {"fma_int8__amx", amx::run_fma<true, 0x01010101>};
