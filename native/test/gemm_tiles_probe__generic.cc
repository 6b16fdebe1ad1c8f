// The tile kernel over an emulation of the tile registers, so that its logic runs on any machine.
#include "simd/generic.h"

#include "gemm/gemm_bf16.h"
#include "gemm/gemm_int8.h"
#include "gemm/tiles.h"
#include "gemm_tiles_probe.h"

namespace vtb::generic {

class EmulatedTiles {
 public:
  static void configure() { configured = true; }
  static void release() { configured = false; }

  template <int tile>
  static void load(const float* from, int64_t stride) {
    for (int row = 0; row < 16; ++row) __builtin_memcpy(tiles[tile][row], from + row * stride, 64);
    if (!configured) __builtin_memset(tiles[tile], 0xff, sizeof tiles[tile]);  // NaN
  }

  template <int tile>
  static void store(float* to, int64_t stride) {
    for (int row = 0; row < 16; ++row) __builtin_memcpy(to + row * stride, tiles[tile][row], 64);
  }

  template <int sums, int a, int b>
  static void dot() {
    multiply<Bf16, sums, a, b>();
  }

  template <int sums, int a, int b>
  static void dot_bytes() {
    multiply<Int8, sums, a, b>();
  }

 private:
  template <typename Arithmetic, int sums, int a, int b>
  static void multiply() {
    for (int i = 0; i < 16; ++i) {
      for (int j = 0; j < 16; ++j) {
        for (int word = 0; word < 16; ++word) {
          const Vec x = Vec::broadcast(tiles[a][i][word]), y = Vec::broadcast(tiles[b][word][j]);
          tiles[sums][i][j] = Arithmetic::multiply_add(x, y, Vec::broadcast(tiles[sums][i][j])).v[0];
        }
      }
    }
  }

  static thread_local bool configured;
  static thread_local float tiles[8][16][16];
};

thread_local bool EmulatedTiles::configured;
thread_local float EmulatedTiles::tiles[8][16][16];

}  // namespace vtb::generic

namespace vtb::test {

using namespace generic;

const GemmKernel gemm_emulated_tiles_bf16 = tile_registers<Bf16, EmulatedTiles>("gemm_bf16_32x32__emulated_tiles");
const GemmKernel gemm_emulated_tiles_int8 = tile_registers<Int8, EmulatedTiles>("gemm_int8_32x32__emulated_tiles");

}  // namespace vtb::test
