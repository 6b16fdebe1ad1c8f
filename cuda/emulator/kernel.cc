#include "kernel.h"

#include <map>

#include "vertebra_cuda_emulator.h"

namespace vtb::emulator {
namespace {

// Filled before main by the kernels' registrations.
std::map<std::string, vtbe_kernel, std::less<>>& kernels() {
  static std::map<std::string, vtbe_kernel, std::less<>> map;
  return map;
}

}  // namespace

void add_kernel(vtbe_kernel kernel) {
  const std::string name = kernel.name;
  kernels().emplace(name, std::move(kernel));
}

}  // namespace vtb::emulator

using vtb::emulator::kernels;

extern "C" {

const vtbe_kernel* vtbe_kernel_find(const char* name) {
  const auto found = kernels().find(name);
  return found == kernels().end() ? nullptr : &found->second;
}

int32_t vtbe_kernel_args_bytes(const vtbe_kernel* kernel) { return kernel->args_bytes; }

}  // extern "C"
