// The kernels of an operation by instruction set. <op>/<op>.h declares a struct of a name and functions and its
// kernels, <op>/<op>_<dtype>__<isa>.cc defines one, and <op>/<op>.cc lists them, a row a level, and calls the one in
// use:
//
//      Dispatched<SoftmaxKernel> kernel{{VTB_ISA_GENERIC, softmax_f32_generic}, {VTB_ISA_AVX2, softmax_f32_avx2}};
//      ... kernel->row(in, channels, out);
//
// A level without a row takes the one below. What is listed is what vtb_init chooses from and what tests walk: nothing
// else names an operation.
#pragma once

#include <initializer_list>

#include "vertebra.h"

namespace vtb {

// A list of kernels without their type. Has static storage duration, as all of them form a list in turn.
class KernelTiers {
 public:
  KernelTiers(const KernelTiers&) = delete;
  KernelTiers& operator=(const KernelTiers&) = delete;

  // All there are, in the order of their names.
  static const KernelTiers* first();
  const KernelTiers* next() const { return next_; }

  // Name of the kernel of this very level; null without one.
  const char* name_at(vtb_isa level) const { return tiers_[level].name; }

  // Name of the kernel in use; null where all are above the level in use.
  const char* name() const { return name_; }

  // Takes into use, everywhere, the kernel of the highest level up to this one.
  static void choose(vtb_isa level);

 protected:
  struct Tier {
    const char* name;
    const void* kernel;
  };

  KernelTiers() = default;
  ~KernelTiers() = default;
  void enlist();

  Tier tiers_[VTB_ISA_AMX + 1] = {};
  const char* name_ = nullptr;
  const void* kernel_ = nullptr;

 private:
  KernelTiers* next_ = nullptr;
};

// Kernel is a struct with a member `name`. To be used once vtb_init has returned VTB_OK.
template <typename Kernel>
class Dispatched : public KernelTiers {
 public:
  struct Row {
    vtb_isa level;
    const Kernel& kernel;
  };

  Dispatched(std::initializer_list<Row> rows) {
    for (const Row& row : rows) tiers_[row.level] = {row.kernel.name, &row.kernel};
    enlist();
  }

  const Kernel& operator*() const { return *static_cast<const Kernel*>(kernel_); }
  const Kernel* operator->() const { return static_cast<const Kernel*>(kernel_); }
};

}  // namespace vtb
