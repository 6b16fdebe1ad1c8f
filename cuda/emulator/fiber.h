// Fibers: stacks of their own, and switching between them without the operating system.
#pragma once

#include <cstddef>

namespace vtb::emulator {

// A stack with a guard page below it, and where its execution stands.
class Fiber {
 public:
  Fiber() = default;
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber();

  // Makes the fiber start in `entry`, which never returns, when it is switched to next; whatever it did before is
  // forgotten. Throws std::bad_alloc.
  void reset(void (*entry)());

  // Leaves the running fiber `from`, to be gone on with later, and goes on with `to`. A fiber without a stack of its
  // own stands for the thread's.
  static void switch_to(Fiber& from, Fiber& to);

  // To be called first thing in `entry`.
  static void started();

 private:
  char* mapping_ = nullptr;
  void* stack_pointer_ = nullptr;
  // For AddressSanitizer, which keeps account of the stacks in use.
  const void* bottom_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace vtb::emulator
