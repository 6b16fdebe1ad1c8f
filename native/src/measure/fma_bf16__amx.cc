#include "measure/measure.h"
#include "simd/amx.h"

namespace vtb::amx {

static double run_fma(int64_t rounds, float* sink) {
  // Four tiles of sums, as the kernel has; two of each operand, of 2^-7 in bf16.
  alignas(64) uint32_t pairs[256];
  for (uint32_t& pair : pairs) pair = 0x3c003c00;
  float words[256];
  __builtin_memcpy(words, pairs, sizeof words);
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
    Tiles::dot<0, 4, 6>();
    Tiles::dot<1, 4, 7>();
    Tiles::dot<2, 5, 6>();
    Tiles::dot<3, 5, 7>();
  }
  Tiles::store<0>(words, 16);
  *sink = words[0];
  Tiles::release();
  return 4.0 * 2 * 16 * 16 * 32 * static_cast<double>(rounds);
}

const FmaKernel fma_bf16 = {"fma_bf16__amx", run_fma};

}  // namespace vtb::amx
