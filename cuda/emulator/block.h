// A block of threads: fibers that run until they wait for each other. Included by kernels through device.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string>
#include <vector>

#include "fiber.h"

struct uint3 {
  uint32_t x, y, z;
};

struct dim3 {
  uint32_t x = 1, y = 1, z = 1;
};

namespace vtb::emulator {

using Site = std::source_location;

// What every byte that no one has written, or that lies beside what may be written, holds: NaN as f32, f16 and bf16.
constexpr unsigned char canary_bytes[4] = {0xf7, 0x7f, 0xf7, 0x7f};

void fill_canary(void* memory, size_t bytes);

// Whether fill_canary's bytes are still there.
bool canary_alive(const void* memory, size_t bytes);

// A warp operation: writes results into the lanes' operands, null for lanes outside of the mask.
using WarpOperation = void (*)(void* const operands[32], uint32_t mask);

struct AsyncCopy {
  void* to;
  const void* from;
  int bytes;
  int group;
};

struct Thread {
  enum class State { ready, at_barrier, at_warp_operation, exited };

  Fiber fiber;
  uint3 index;
  int number;  // in the block: its warp's is number / 32, its lane number % 32
  State state;
  Site site;  // of what it waits for
  uint32_t mask;
  WarpOperation operation;
  void* operand;
  std::vector<AsyncCopy> copies;
  int copy_group;
};

// The running thread, its block and its grid.
extern Thread* current;
extern uint3 block_index;
extern dim3 block_size, grid_size;

// Waits for all threads of the block.
void sync_block(const Site& site);

// Waits for all lanes of the mask, each of which gives the same mask and operation; the last runs it.
void sync_warp(uint32_t mask, WarpOperation operation, void* operand, const Site& site);

// Ends the launch with an error unless the address is a multiple of `bytes`.
void check_aligned(const void* address, size_t bytes, const Site& site = Site::current());

// cp.async: copies are done when they are waited for, so that a missing wait shows.
void copy_async(void* to, const void* from, int bytes);
void commit_copies();
void wait_copies(int groups_under_way);

// Red zones around shared memory.
constexpr size_t shared_zone = 128;

// Memory between red zones: NaN when a block first reaches it.
struct SharedMemory {
  unsigned char* data;
  size_t bytes;
  uint64_t block = 0;  // the block that uses it

  // To be called by a running thread.
  void* enter();
};

// A variable in shared memory.
template <typename T, size_t count>
class SharedArray : SharedMemory {
 public:
  SharedArray() : SharedMemory{memory_ + shared_zone, sizeof(T) * count} {}

  T* get() { return static_cast<T*>(enter()); }

 private:
  alignas(128) unsigned char memory_[shared_zone + sizeof(T) * count + shared_zone];
};

// The launch's dynamic shared memory.
void* dynamic_shared();

struct Launch {
  dim3 grid, block;
  size_t dynamic_shared_bytes;
  size_t most_shared_bytes;  // static and dynamic
  void (*body)(const void* context);
  const void* context;
};

enum class Outcome { done, divergence, out_of_bounds, too_much_shared };

// Runs all blocks, one after another, until one fails; `why` then tells block, thread and place. Throws std::bad_alloc.
Outcome execute(const Launch& launch, std::string& why);

}  // namespace vtb::emulator
