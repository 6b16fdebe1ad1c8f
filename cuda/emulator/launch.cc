// Launches: what cuLaunchKernel checks, and what it lets pass.
#include <algorithm>
#include <cstring>
#include <new>

#include "block.h"
#include "kernel.h"
#include "stream.h"

namespace vtb::emulator {
namespace {

constexpr int32_t default_shared = 48 << 10, most_shared = 163 << 10;

struct Arguments {
  const vtbe_kernel* kernel;
  std::vector<std::byte> bytes;  // of its argument struct

  static void call(const void* context) {
    const auto& arguments = *static_cast<const Arguments*>(context);
    arguments.kernel->call(arguments.kernel->function, arguments.bytes.data());
  }
};

vtbe_status check_pointers(const Arguments& arguments) {
  vtbe_status status = VTBE_OK;
  for_each_field(arguments.kernel->fields, [&](char letter, size_t offset) {
    uint64_t address = 0;
    std::memcpy(&address, arguments.bytes.data() + offset, letter == 'p' ? sizeof(address) : 0);
    if (status != VTBE_OK || address == 0) return;
    status = check_range(arguments.kernel->name + ": the pointer at byte " + std::to_string(offset), address, 1);
  });
  return status;
}

vtbe_status run_kernel(const Launch& shape, const Arguments& arguments, const std::optional<Range>& writes) {
  const vtbe_status status = check_pointers(arguments);
  if (status != VTBE_OK) return status;
  const vtbe_kernel& kernel = *arguments.kernel;
  Launch launch = shape;
  launch.body = Arguments::call;
  launch.context = &arguments;
  const Memory::Snapshot before = writes ? device().memory.snapshot() : Memory::Snapshot();
  std::string why;
  const Outcome outcome = execute(launch, why);
  std::string where;
  if (!device().memory.check_zones(where) || (writes && !device().memory.unchanged(before, *writes, where))) {
    return failed(VTBE_OUT_OF_BOUNDS, kernel.name + " wrote " + where);
  }
  switch (outcome) {
    case Outcome::done: return VTBE_OK;
    case Outcome::divergence: return failed(VTBE_DIVERGENCE, kernel.name + ", " + why);
    case Outcome::out_of_bounds: return failed(VTBE_OUT_OF_BOUNDS, kernel.name + ", " + why);
    default: return failed(VTBE_INVALID_VALUE, kernel.name + ", " + why);
  }
}

bool within(int64_t value, int64_t least, int64_t most) { return value >= least && value <= most; }

}  // namespace
}  // namespace vtb::emulator

using namespace vtb::emulator;

extern "C" {

vtbe_status vtbe_kernel_allow_shared(const vtbe_kernel* kernel, int32_t bytes) {
  if (!within(bytes, 0, most_shared)) {
    return failed(VTBE_INVALID_VALUE, kernel->name + ": " + std::to_string(bytes) + " bytes of shared memory");
  }
  kernel->allowed_shared = bytes;
  return VTBE_OK;
}

vtbe_status vtbe_launch(vtbe_stream* stream, const vtbe_kernel* kernel, int32_t grid_x, int32_t grid_y, int32_t grid_z,
                        int32_t block_x, int32_t block_y, int32_t block_z, int32_t shared_bytes, const void* args) {
  if (!within(grid_x, 1, INT32_MAX) || !within(grid_y, 1, 65535) || !within(grid_z, 1, 65535)) {
    return failed(VTBE_INVALID_VALUE, kernel->name + ": a grid of " + std::to_string(grid_x) + " x " +
                                          std::to_string(grid_y) + " x " + std::to_string(grid_z) + " blocks");
  }
  if (!within(block_x, 1, 1024) || !within(block_y, 1, 1024) || !within(block_z, 1, 64) ||
      !within(int64_t{block_x} * block_y * block_z, 1, kernel->max_threads)) {
    return failed(VTBE_INVALID_VALUE, kernel->name + ": a block of " + std::to_string(block_x) + " x " +
                                          std::to_string(block_y) + " x " + std::to_string(block_z) +
                                          " threads; the kernel takes up to " + std::to_string(kernel->max_threads));
  }
  const int32_t allowed = std::max(default_shared, kernel->allowed_shared);
  if (!within(shared_bytes, 0, allowed)) {
    return failed(VTBE_INVALID_VALUE, kernel->name + ": " + std::to_string(shared_bytes) + " bytes of shared memory, " +
                                          std::to_string(allowed) + " are allowed");
  }
  const size_t most = kernel->allowed_shared > 0 ? most_shared : default_shared;
  const Launch launch = {
      {static_cast<uint32_t>(grid_x), static_cast<uint32_t>(grid_y), static_cast<uint32_t>(grid_z)},
      {static_cast<uint32_t>(block_x), static_cast<uint32_t>(block_y), static_cast<uint32_t>(block_z)},
      static_cast<size_t>(shared_bytes),
      most,
      nullptr,
      nullptr};
  try {
    const auto* bytes = static_cast<const std::byte*>(args);
    const Arguments arguments = {kernel, {bytes, bytes + kernel->args_bytes}};
    return submit(stream, [=, writes = take_expected_writes(stream)] { return run_kernel(launch, arguments, writes); });
  } catch (const std::bad_alloc&) {
    return failed(VTBE_OUT_OF_MEMORY, "the host is out of memory");
  }
}

}  // extern "C"
