// The part of CUDA C++ that Vertebra's kernels use, for a host compiler. Included ahead of every kernel file.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "block.h"
#include "half.h"
#include "kernel.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(bytes) __attribute__((aligned(bytes)))

#define threadIdx (vtb::emulator::current->index)
#define blockIdx (vtb::emulator::block_index)
#define blockDim (vtb::emulator::block_size)
#define gridDim (vtb::emulator::grid_size)

// ---- vectors --------------------------------------------------------------------------------------------------------

struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(16) uint4 {
  uint32_t x, y, z, w;
};

constexpr float2 make_float2(float x, float y) { return {x, y}; }

// ---- arithmetic -----------------------------------------------------------------------------------------------------

using std::max;
using std::min;

inline float rsqrtf(float x) { return 1 / std::sqrt(x); }
inline int __popc(uint32_t x) { return std::popcount(x); }
inline void sincospif(float x, float* sine, float* cosine) {
  const double angle = std::fmod(x, 2.0) * 3.14159265358979323846;
  *sine = static_cast<float>(std::sin(angle));
  *cosine = static_cast<float>(std::cos(angle));
}

// Threads run one at a time and leave off only where they wait.
template <typename T>
T atomicAdd(T* to, T value) {
  const T old = *to;
  *to = old + value;
  return old;
}

// ---- barriers and warp operations -----------------------------------------------------------------------------------

inline void __syncthreads(vtb::emulator::Site site = vtb::emulator::Site::current()) {
  vtb::emulator::sync_block(site);
}

inline void __syncwarp(uint32_t mask = 0xffffffff, vtb::emulator::Site site = vtb::emulator::Site::current()) {
  vtb::emulator::sync_warp(mask, nullptr, nullptr, site);
}

namespace vtb::emulator {

inline int lane() { return current->number % 32; }

template <typename T>
struct Shuffle {
  T value;
  int source;  // a lane; one's own where the shuffle's rule finds none
  T result;
};

// A lane that is read must be in the mask: otherwise its value is undefined.
template <typename T>
T shuffle(uint32_t mask, T value, int source, Site site) {
  Shuffle<T> operand = {value, source, value};
  sync_warp(
      mask,
      [](void* const operands[32], uint32_t) {
        for (int i = 0; i < 32; ++i) {
          if (!operands[i]) continue;
          auto& to = *static_cast<Shuffle<T>*>(operands[i]);
          const auto* from = static_cast<const Shuffle<T>*>(operands[to.source]);
          if (from) {
            to.result = from->value;
          } else {
            fill_canary(&to.result, sizeof(T));
          }
        }
      },
      &operand, site);
  return operand.result;
}

struct Vote {
  bool predicate;
  uint32_t ballot;
};

inline uint32_t vote(uint32_t mask, bool predicate, Site site) {
  Vote operand = {predicate, 0};
  sync_warp(
      mask,
      [](void* const operands[32], uint32_t) {
        uint32_t ballot = 0;
        for (int i = 0; i < 32; ++i) {
          if (operands[i] && static_cast<const Vote*>(operands[i])->predicate) ballot |= 1u << i;
        }
        for (int i = 0; i < 32; ++i) {
          if (operands[i]) static_cast<Vote*>(operands[i])->ballot = ballot;
        }
      },
      &operand, site);
  return operand.ballot;
}

}  // namespace vtb::emulator

// Widths are 32 / 2^n, as on the device; lanes exchange within groups of that width.
template <typename T>
T __shfl_sync(uint32_t mask, T value, int source, int width = 32,
              vtb::emulator::Site site = vtb::emulator::Site::current()) {
  const int first = vtb::emulator::lane() / width * width;
  return vtb::emulator::shuffle(mask, value, first + (source & (width - 1)), site);
}

template <typename T>
T __shfl_xor_sync(uint32_t mask, T value, int lanes, int width = 32,
                  vtb::emulator::Site site = vtb::emulator::Site::current()) {
  const int own = vtb::emulator::lane(), end = (own / width + 1) * width, source = own ^ lanes;
  return vtb::emulator::shuffle(mask, value, source < end ? source : own, site);
}

template <typename T>
T __shfl_up_sync(uint32_t mask, T value, int delta, int width = 32,
                 vtb::emulator::Site site = vtb::emulator::Site::current()) {
  const int own = vtb::emulator::lane(), first = own / width * width;
  return vtb::emulator::shuffle(mask, value, own - delta >= first ? own - delta : own, site);
}

inline uint32_t __ballot_sync(uint32_t mask, int predicate, vtb::emulator::Site site = vtb::emulator::Site::current()) {
  return vtb::emulator::vote(mask, predicate != 0, site);
}
