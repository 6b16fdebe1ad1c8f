#include "fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <new>

#include "sanitizer.h"

namespace vtb::emulator {
namespace {

constexpr size_t stack_bytes = 128 << 10;

// The fiber left by the latest switch; AddressSanitizer tells its stack's bounds only on the other side.
Fiber* left = nullptr;

}  // namespace

// Saves what the System V ABI has a callee save, exchanges the stack pointer, and restores. The floating point
// environment is the same for all fibers.
extern "C" void vtbe_switch_stack(void** save, void* to);
asm(R"(
.text
.globl vtbe_switch_stack
.hidden vtbe_switch_stack
.type vtbe_switch_stack, @function
vtbe_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size vtbe_switch_stack, .-vtbe_switch_stack
)");

Fiber::~Fiber() {
  if (mapping_) munmap(mapping_, bytes_ + sysconf(_SC_PAGESIZE));
}

void Fiber::reset(void (*entry)()) {
  if (!mapping_) {
    const size_t page = sysconf(_SC_PAGESIZE);
    void* memory = mmap(nullptr, stack_bytes + page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    mapping_ = static_cast<char*>(memory);
    bytes_ = stack_bytes;
    bottom_ = mapping_ + page;
    mprotect(memory, page, PROT_NONE);
  }
  unpoison(bottom_, bytes_);
  // Stacks begin at different offsets in their pages: otherwise they would all compete for the same lines of the cache.
  const size_t colour = reinterpret_cast<uintptr_t>(mapping_) / 4096 * 5 % 64 * 64;
  // Six registers, the address `ret` goes to, and the place of entry's return address, below which calls keep the stack
  // aligned to 16.
  auto* top = reinterpret_cast<uintptr_t*>(const_cast<char*>(static_cast<const char*>(bottom_)) + bytes_ - colour);
  top[-1] = 0;
  top[-2] = reinterpret_cast<uintptr_t>(entry);
  for (int i = 3; i <= 8; ++i) top[-i] = 0;
  stack_pointer_ = top - 8;
}

void Fiber::switch_to(Fiber& from, Fiber& to) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(nullptr, to.bottom_, to.bytes_);
  left = &from;
#endif
  vtbe_switch_stack(&from.stack_pointer_, to.stack_pointer_);
  started();
}

void Fiber::started() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &left->bottom_, &left->bytes_);
#else
  (void)left;
#endif
}

}  // namespace vtb::emulator
