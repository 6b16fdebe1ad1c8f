#include "block.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>

#include "sanitizer.h"

namespace vtb::emulator {

Thread* current = nullptr;
uint3 block_index;
dim3 block_size, grid_size;

namespace {

// 163 KiB between red zones.
alignas(128) unsigned char dynamic_memory[shared_zone + (163 << 10) + shared_zone];

struct Warp {
  uint32_t waiting = 0;  // lanes at a warp operation
};

// A launch. Only one runs at a time.
struct Run {
  const Launch* launch;
  Fiber host;
  std::deque<Thread> threads;  // kept between launches, with their stacks
  Thread* ready[1024];         // a ring
  uint32_t ready_begin, ready_count;
  int count, alive, at_barrier;
  Site barrier;
  Warp warps[32];
  uint64_t block = 0;
  std::vector<SharedMemory*> shared;
  SharedMemory dynamic;
  Outcome outcome;
  std::string why;
};

Run run;

std::string number(uint3 i) {
  return "(" + std::to_string(i.x) + "," + std::to_string(i.y) + "," + std::to_string(i.z) + ")";
}

std::string place(const Site& site) {
  const char* slash = std::strrchr(site.file_name(), '/');
  return std::string(slash ? slash + 1 : site.file_name()) + ":" + std::to_string(site.line());
}

bool same(const Site& a, const Site& b) {
  return a.line() == b.line() && (a.file_name() == b.file_name() || std::strcmp(a.file_name(), b.file_name()) == 0);
}

std::string describe(const Thread& thread) {
  std::string text = "thread " + number(thread.index);
  switch (thread.state) {
    case Thread::State::exited: return text + " has exited";
    case Thread::State::at_barrier: return text + " waits at __syncthreads, " + place(thread.site);
    case Thread::State::at_warp_operation: return text + " waits at a warp operation, " + place(thread.site);
    default: return text;
  }
}

void fail(Outcome outcome, const std::string& why) {
  run.outcome = outcome;
  run.why = "block " + number(block_index) + ": " + why;
}

// To be followed by leave(), in a statement of its own: nothing is destroyed beyond it.
void fail_here(Outcome outcome, const std::string& why, const Site& site) {
  fail(outcome, "thread " + number(current->index) + ", " + place(site) + ": " + why);
}

// Leaves the running thread for good: the launch has failed, or the block is done.
[[noreturn]] void leave() {
  Fiber::switch_to(current->fiber, run.host);
  __builtin_unreachable();
}

void push_ready(Thread* thread) {
  thread->state = Thread::State::ready;
  run.ready[(run.ready_begin + run.ready_count++) % 1024] = thread;
}

Thread* pop_ready() {
  Thread* thread = run.ready[run.ready_begin];
  run.ready_begin = (run.ready_begin + 1) % 1024;
  --run.ready_count;
  return thread;
}

// No thread can go on: names one that waits, and one that it waits for in vain.
void report_divergence() {
  for (int i = 0; i < run.count; ++i) {
    const Thread& waiting = run.threads[i];
    if (waiting.state != Thread::State::at_warp_operation) continue;
    for (int lane = 0; lane < 32; ++lane) {
      if ((waiting.mask & ~run.warps[i / 32].waiting) >> lane & 1) {
        const int other = i / 32 * 32 + lane;
        const std::string missing = other < run.count ? describe(run.threads[other])
                                                      : "the block has no thread for lane " + std::to_string(lane);
        fail(Outcome::divergence, describe(waiting) + ", for its mask's lanes, but " + missing);
        return;
      }
    }
  }
  const auto end = run.threads.begin() + run.count;
  const auto waiting =
      std::find_if(run.threads.begin(), end, [](const Thread& t) { return t.state == Thread::State::at_barrier; });
  const auto other =
      std::find_if(run.threads.begin(), end, [](const Thread& t) { return t.state != Thread::State::at_barrier; });
  fail(Outcome::divergence, describe(*waiting) + ", but " + describe(*other));
}

// Goes on with another thread, the running one having to wait.
void wait() {
  if (run.ready_count == 0) {
    report_divergence();
    leave();
  }
  Thread* from = current;
  current = pop_ready();
  Fiber::switch_to(from->fiber, current->fiber);
}

void thread_main() {
  Fiber::started();
  run.launch->body(run.launch->context);
  current->state = Thread::State::exited;
  --run.alive;
  if (run.ready_count == 0) {
    if (run.alive > 0) report_divergence();
    leave();
  }
  wait();
  __builtin_unreachable();
}

// Whether no thread has written beside shared memory; the block is done with it.
bool leave_shared() {
  bool intact = true;
  for (SharedMemory* memory : run.shared) {
    unsigned char* end = memory->data + memory->bytes;
    unpoison(memory->data - shared_zone, shared_zone);
    unpoison(end, shared_zone);
    intact = intact && canary_alive(memory->data - shared_zone, shared_zone) && canary_alive(end, shared_zone);
  }
  run.shared.clear();
  return intact;
}

void prepare_threads() {
  run.count = run.alive = static_cast<int>(block_size.x * block_size.y * block_size.z);
  run.at_barrier = 0;
  run.ready_begin = run.ready_count = 0;
  if (static_cast<int>(run.threads.size()) < run.count) run.threads.resize(run.count);
  std::fill(std::begin(run.warps), std::end(run.warps), Warp{});
  for (int i = 0; i < run.count; ++i) {
    Thread& thread = run.threads[i];
    const uint32_t n = i;
    thread.index = {n % block_size.x, n / block_size.x % block_size.y, n / block_size.x / block_size.y};
    thread.number = i;
    thread.copies.clear();
    thread.copy_group = 0;
    thread.fiber.reset(thread_main);
  }
  // Every other block runs its threads the other way round: what relies on an order without a barrier fails in one of
  // them.
  const bool backwards = run.block % 2 == 0;
  for (int i = 0; i < run.count; ++i) push_ready(&run.threads[backwards ? run.count - 1 - i : i]);
}

void run_block() {
  ++run.block;
  prepare_threads();
  current = pop_ready();
  Fiber::switch_to(run.host, current->fiber);
  current = nullptr;
  if (!leave_shared() && run.outcome == Outcome::done) {
    fail(Outcome::out_of_bounds, "a thread wrote beside the shared memory of the block");
  }
}

}  // namespace

void fill_canary(void* memory, size_t bytes) {
  auto* to = static_cast<unsigned char*>(memory);
  for (size_t i = 0; i < bytes; ++i) to[i] = canary_bytes[i % 4];
}

bool canary_alive(const void* memory, size_t bytes) {
  const auto* from = static_cast<const unsigned char*>(memory);
  // The first bytes are right, and each further one equals the one 4 before it.
  return std::memcmp(from, canary_bytes, std::min<size_t>(bytes, 4)) == 0 &&
         (bytes <= 4 || std::memcmp(from, from + 4, bytes - 4) == 0);
}

void sync_block(const Site& site) {
  if (run.at_barrier == 0) run.barrier = site;
  current->site = site;
  if (!same(site, run.barrier)) {
    fail_here(Outcome::divergence, "threads wait at different barriers, here and at " + place(run.barrier), site);
    leave();
  }
  current->state = Thread::State::at_barrier;
  if (++run.at_barrier < run.count) {
    wait();
    return;
  }
  run.at_barrier = 0;
  current->state = Thread::State::ready;
  for (int i = 0; i < run.count; ++i) {
    if (&run.threads[i] != current) push_ready(&run.threads[i]);
  }
}

void sync_warp(uint32_t mask, WarpOperation operation, void* operand, const Site& site) {
  const int first = current->number / 32 * 32, lane = current->number % 32;
  Warp& warp = run.warps[current->number / 32];
  if (!(mask >> lane & 1)) {
    fail_here(Outcome::divergence, "a lane outside of its own mask", site);
    leave();
  }
  current->site = site;
  current->mask = mask;
  current->operation = operation;
  current->operand = operand;
  current->state = Thread::State::at_warp_operation;
  warp.waiting |= 1u << lane;
  if ((warp.waiting & mask) != mask) {
    wait();
    return;
  }
  void* operands[32] = {};
  for (int i = 0; i < 32; ++i) {
    if (!(mask >> i & 1)) continue;
    const Thread& other = run.threads[first + i];
    if (other.mask != mask || other.operation != operation) {
      fail_here(Outcome::divergence, "lanes meet with different masks or operations; " + describe(other), site);
      leave();
    }
    operands[i] = other.operand;
  }
  if (operation) operation(operands, mask);
  warp.waiting &= ~mask;
  current->state = Thread::State::ready;
  for (int i = 0; i < 32; ++i) {
    if ((mask >> i & 1) && i != lane) push_ready(&run.threads[first + i]);
  }
}

void check_aligned(const void* address, size_t bytes, const Site& site) {
  if (reinterpret_cast<uintptr_t>(address) % bytes == 0) return;
  fail_here(Outcome::out_of_bounds, "an access that has to be aligned to " + std::to_string(bytes) + " bytes is not",
            site);
  leave();
}

void copy_async(void* to, const void* from, int bytes) {
  current->copies.push_back({to, from, bytes, current->copy_group});
}

void commit_copies() { ++current->copy_group; }

void wait_copies(int groups_under_way) {
  auto& copies = current->copies;
  const auto done = std::find_if(copies.begin(), copies.end(), [&](const AsyncCopy& copy) {
    return copy.group >= current->copy_group - groups_under_way;
  });
  for (auto copy = copies.begin(); copy != done; ++copy) std::memcpy(copy->to, copy->from, copy->bytes);
  copies.erase(copies.begin(), done);
}

void* SharedMemory::enter() {
  if (block == run.block) return data;
  block = run.block;
  run.shared.push_back(this);
  size_t total = run.launch->dynamic_shared_bytes;
  for (const SharedMemory* memory : run.shared) total += memory == &run.dynamic ? 0 : memory->bytes;
  if (total > run.launch->most_shared_bytes) {
    fail(Outcome::too_much_shared,
         "more static and dynamic shared memory than " + std::to_string(run.launch->most_shared_bytes) + " bytes");
    leave();
  }
  fill_canary(data - shared_zone, bytes + 2 * shared_zone);
  poison(data - shared_zone, shared_zone);
  poison(data + bytes, shared_zone);
  return data;
}

void* dynamic_shared() { return run.dynamic.enter(); }

Outcome execute(const Launch& launch, std::string& why) {
  run.launch = &launch;
  run.outcome = Outcome::done;
  run.dynamic = {dynamic_memory + shared_zone, launch.dynamic_shared_bytes};
  grid_size = launch.grid;
  block_size = launch.block;
  for (uint32_t z = 0; z < launch.grid.z; ++z) {
    for (uint32_t y = 0; y < launch.grid.y; ++y) {
      for (uint32_t x = 0; x < launch.grid.x; ++x) {
        block_index = {x, y, z};
        run_block();
        if (run.outcome != Outcome::done) {
          why = run.why;
          return run.outcome;
        }
      }
    }
  }
  return Outcome::done;
}

}  // namespace vtb::emulator
