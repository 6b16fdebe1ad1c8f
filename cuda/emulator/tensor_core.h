// Tensor core instructions as operations of a whole warp. Layouts of the fragments: PTX ISA, "Matrix fragments for
// mma.m16n8k16 with floating point type" and "ldmatrix".
#pragma once

#include "device.h"

namespace vtb::emulator {

inline float half_bits_to_float(uint32_t bits, __half) { return __half2float({static_cast<uint16_t>(bits)}); }
inline float half_bits_to_float(uint32_t bits, __nv_bfloat16) {
  return __bfloat162float({static_cast<uint16_t>(bits)});
}

struct MatrixMultiply {
  const uint32_t* a;
  const uint32_t* b;
  float* d;
};

// d += a b; a is 16 x 16, b 16 x 8, d 16 x 8.
template <typename T>
void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Site site = Site::current()) {
  MatrixMultiply operand = {a, b, d};
  sync_warp(
      0xffffffff,
      [](void* const operands[32], uint32_t) {
        float left[16][16], right[16][8];
        for (int lane = 0; lane < 32; ++lane) {
          const auto& own = *static_cast<const MatrixMultiply*>(operands[lane]);
          for (int i = 0; i < 8; ++i) {
            const uint32_t bits = own.a[i / 2] >> 16 * (i % 2);
            left[lane / 4 + 8 * (i / 2 % 2)][lane % 4 * 2 + i % 2 + 8 * (i / 4)] = half_bits_to_float(bits, T{});
          }
          for (int i = 0; i < 4; ++i) {
            const uint32_t bits = own.b[i / 2] >> 16 * (i % 2);
            right[lane % 4 * 2 + i % 2 + 8 * (i / 2)][lane / 4] = half_bits_to_float(bits, T{});
          }
        }
        for (int lane = 0; lane < 32; ++lane) {
          const auto& own = *static_cast<const MatrixMultiply*>(operands[lane]);
          for (int i = 0; i < 4; ++i) {
            float sum = own.d[i];
            for (int k = 0; k < 16; ++k) sum += left[lane / 4 + 8 * (i / 2)][k] * right[k][lane % 4 * 2 + i % 2];
            own.d[i] = sum;
          }
        }
      },
      &operand, site);
}

struct MatrixLoad {
  const uint16_t* row;
  uint32_t* to;
};

// Four matrices of 8 x 8 halves; lane 8 i + r gives the address of row r of matrix i.
template <bool transposed>
void ldmatrix(uint32_t (&to)[4], const void* row, Site site = Site::current()) {
  check_aligned(row, 16, site);
  MatrixLoad operand = {static_cast<const uint16_t*>(row), to};
  sync_warp(
      0xffffffff,
      [](void* const operands[32], uint32_t) {
        auto element = [&](int matrix, int r, int c) -> uint32_t {
          return static_cast<const MatrixLoad*>(operands[8 * matrix + r])->row[c];
        };
        for (int lane = 0; lane < 32; ++lane) {
          const auto& own = *static_cast<const MatrixLoad*>(operands[lane]);
          for (int i = 0; i < 4; ++i) {
            const int r = lane / 4, c = lane % 4 * 2;
            own.to[i] = transposed ? element(i, c, r) | element(i, c + 1, r) << 16
                                   : element(i, r, c) | element(i, r, c + 1) << 16;
          }
        }
      },
      &operand, site);
}

}  // namespace vtb::emulator
