// vtb_init in processes that keep AMX tiles from it, or would rather do without. Every test forks, since permission
// cannot be given back.
#include <errno.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/isa.h"

namespace vtb::test {
namespace {

constexpr size_t small_stack = 8192;  // SIGSTKSZ of headers before glibc 2.34

bool sets_signal_stack(size_t bytes) {
  std::vector<char> memory(bytes);
  const stack_t stack = {memory.data(), 0, bytes}, none = {nullptr, SS_DISABLE, 0};
  if (sigaltstack(&stack, nullptr) != 0) return false;
  sigaltstack(&none, nullptr);
  return true;
}

// A thread with a signal stack that is too small for tiles, for as long as this lives.
class SmallSignalStack {
 public:
  SmallSignalStack() : thread_([this] { hold(); }) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return set_; });
  }
  SmallSignalStack(const SmallSignalStack&) = delete;
  SmallSignalStack& operator=(const SmallSignalStack&) = delete;
  ~SmallSignalStack() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      set_ = false;
    }
    changed_.notify_all();
    thread_.join();
  }

 private:
  void hold() {
    std::vector<char> memory(small_stack);
    const stack_t stack = {memory.data(), 0, small_stack}, none = {nullptr, SS_DISABLE, 0};
    if (sigaltstack(&stack, nullptr) != 0) std::abort();
    std::unique_lock<std::mutex> lock(mutex_);
    set_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !set_; });
    sigaltstack(&none, nullptr);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
  std::thread thread_;  // last: it uses the others
};

// As a container's rules do that know nothing of tiles.
void forbid_asking_for_tiles() {
  sock_filter rules[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_arch_prctl, 0, 3),
                         BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[0])),
                         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x1023, 0, 1),
                         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program = {sizeof rules / sizeof *rules, rules};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    std::abort();
  }
}

bool has_permission() {
  uint64_t features = 0;
  return syscall(SYS_arch_prctl, 0x1022, &features) == 0 && (features >> 18 & 1);  // ARCH_GET_XCOMP_PERM, tile data
}

vtb_status init(const char* level) {
  if (level) {
    setenv("VERTEBRA_ISA", level, 1);
  } else {
    unsetenv("VERTEBRA_ISA");
  }
  return vtb_init();
}

// Ends a child process: successful if all that is said about it holds, which it prints otherwise.
[[noreturn]] void end(bool holds) {
  std::fprintf(stderr, "status %d, level %s of %s: %s\n", vtb_init(), vtb_isa_name(vtb_isa_level()),
               vtb_isa_name(vtb_isa_detected()), vtb_isa_limit());
  _exit(holds ? 0 : 1);
}

bool says(const char* text) { return std::strstr(vtb_isa_limit(), text) != nullptr; }

const testing::ExitedWithCode good(0);

class Init : public testing::Test {
 protected:
  void SetUp() override {
    if (detect_isa().level != VTB_ISA_AMX) GTEST_SKIP() << "no AMX: " << detect_isa().limit;
  }
};

TEST_F(Init, AsksForTilesAndKeepsThem) {
  EXPECT_EXIT(end(init(nullptr) == VTB_OK && vtb_isa_level() == VTB_ISA_AMX && !*vtb_isa_limit() && has_permission() &&
                  !sets_signal_stack(small_stack) && sets_signal_stack(getauxval(AT_MINSIGSTKSZ))),
              good, "");
}

TEST_F(Init, DoesNotAskForTilesThatAreNotUsed) {
  EXPECT_EXIT(end(init("avx512_bf16") == VTB_OK && vtb_isa_level() == VTB_ISA_AVX512_BF16 &&
                  vtb_isa_detected() == VTB_ISA_AMX && says("VERTEBRA_ISA lowers it from amx") && !has_permission() &&
                  sets_signal_stack(small_stack)),
              good, "");
}

TEST_F(Init, FallsBesideASmallSignalStackAndSaysSo) {
  EXPECT_EXIT(
      {
        const SmallSignalStack other;
        end(init(nullptr) == VTB_OK && vtb_isa_level() == VTB_ISA_AVX512_BF16 &&
            vtb_isa_detected() == VTB_ISA_AVX512_BF16 && says("sigaltstack") && !has_permission());
      },
      good, "");
}

TEST_F(Init, RefusesALevelThatTheSystemRefuses) {
  EXPECT_EXIT(
      {
        const SmallSignalStack other;
        end(init("amx") == VTB_UNSUPPORTED_ISA && vtb_isa_detected() == VTB_ISA_AVX512_BF16 && says("sigaltstack"));
      },
      good, "");
}

TEST_F(Init, FallsWhereAskingIsForbidden) {
  EXPECT_EXIT(
      {
        forbid_asking_for_tiles();
        end(init(nullptr) == VTB_OK && vtb_isa_level() == VTB_ISA_AVX512_BF16 && says("error 1)"));
      },
      good, "");
}

}  // namespace
}  // namespace vtb::test
