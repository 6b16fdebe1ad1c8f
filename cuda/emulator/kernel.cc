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

int32_t vtbe_kernel_count(void) { return static_cast<int32_t>(kernels().size()); }

const char* vtbe_kernel_name(int32_t i) {
  if (i < 0 || i >= vtbe_kernel_count()) return nullptr;
  return std::next(kernels().begin(), i)->first.c_str();
}

const char* vtbe_kernel_signature(const vtbe_kernel* kernel) { return kernel->signature.c_str(); }

int32_t vtbe_kernel_max_threads(const vtbe_kernel* kernel) { return kernel->max_threads; }

}  // extern "C"
