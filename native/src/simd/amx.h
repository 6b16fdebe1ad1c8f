// Tiles: the registers of AMX, eight of 16 rows of 64 bytes (Intel 64 and IA-32 Architectures Software Developer's
// Manual, volume 1, chapter 18). A thread configures them before the first use and releases them after the last.
#pragma once

#include <cstdint>

namespace vtb::amx {

struct Tiles {
  static void configure() {
    // All tiles whole: palette 1, 16 rows of 64 bytes.
    alignas(64) struct {
      uint8_t palette, start_row, reserved[14];
      uint16_t bytes_of_row[16];
      uint8_t rows[16];
    } config = {};
    config.palette = 1;
    for (int tile = 0; tile < 8; ++tile) {
      config.bytes_of_row[tile] = 64;
      config.rows[tile] = 16;
    }
    __asm__ volatile("ldtilecfg %0" ::"m"(config));
  }

  static void release() { __asm__ volatile("tilerelease"); }

  template <int tile>
  static void zero() {
    __asm__ volatile("tilezero %%tmm%c0" ::"i"(tile));
  }

  // 16 rows of 16 words, `stride` words apart.
  template <int tile>
  static void load(const float* from, int64_t stride) {
    __asm__ volatile("tileloadd (%1,%2,1), %%tmm%c0" ::"i"(tile), "r"(from), "r"(4 * stride) : "memory");
  }

  template <int tile>
  static void store(float* to, int64_t stride) {
    __asm__ volatile("tilestored %%tmm%c0, (%1,%2,1)" ::"i"(tile), "r"(to), "r"(4 * stride) : "memory");
  }

  // sums[i][j] += the dot product of row i of a with column j of b, in pairs of bf16.
  template <int sums, int a, int b>
  static void dot() {
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sums), "i"(a), "i"(b));
  }

  // The same in fours of bytes, unsigned in a, signed in b, and int32.
  template <int sums, int a, int b>
  static void dot_bytes() {
    __asm__ volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sums), "i"(a), "i"(b));
  }
};

}  // namespace vtb::amx
