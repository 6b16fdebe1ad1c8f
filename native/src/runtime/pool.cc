#include "runtime/pool.h"

#include <immintrin.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <cstdio>
#include <initializer_list>
#include <new>

namespace {

using Clock = std::chrono::steady_clock;

// Long enough to bridge the gap between two operations of a forward pass, short enough to be nothing to an idle
// service.
constexpr std::chrono::microseconds spin_time(50);

void futex_wait(const std::atomic<uint32_t>& word, uint32_t value) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void futex_wake(const std::atomic<uint32_t>& word, int32_t count) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

// Spins until done() or the spin time is over; returns done().
template <typename Done>
bool spin_until(const Done& done) {
  const Clock::time_point deadline = Clock::now() + spin_time;
  do {
    for (int i = 0; i < 32; ++i) {
      if (done()) return true;
      _mm_pause();
    }
  } while (Clock::now() < deadline);
  return done();
}

// Bits of vtb_pool::region; the rest counts the workers inside.
constexpr uint32_t region_open = 1u << 31, caller_parked = 1u << 30, inside = caller_parked - 1;

struct Worker {
  vtb_pool* pool;
  int32_t index;
  pthread_t thread;
};

// The tasks [begin, end) of a region that a thread takes first: begin in the lower half of the word, end in the upper.
struct alignas(64) Share {
  std::atomic<uint64_t> range;
};

constexpr uint64_t one_begin = 1, one_end = uint64_t{1} << 32;

}  // namespace

// A region is open while its caller still hands out tasks. Workers enter only an open one, and its caller waits only
// for those that entered: a worker that wakes late costs nothing.
struct vtb_pool {
  int32_t threads;
  Worker* workers;  // [threads - 1]

  // Set by the caller before it opens the region.
  vtb::TaskFunction function;
  const void* context;
  Share* shares;  // [threads]

  alignas(64) std::atomic<uint32_t> region;
  alignas(64) std::atomic<uint32_t> regions_opened;  // workers wait for this to change
  std::atomic<int32_t> sleepers;
  std::atomic<bool> stopping;
  alignas(64) std::atomic<bool> busy;
  // Callers that work without help. Each has a thread, so that as many workers have to stay out.
  std::atomic<int32_t> alone;
};

namespace {

void deal_out(vtb_pool* pool, uint64_t tasks) {
  for (uint64_t i = 0, begin = 0; i < static_cast<uint64_t>(pool->threads); ++i) {
    const uint64_t end = tasks * (i + 1) / pool->threads;
    pool->shares[i].range.store(end * one_end + begin, std::memory_order_relaxed);
    begin = end;
  }
}

// A share's owner takes its tasks in order, as they often lie beside each other in memory; others take the last ones.
void take_tasks(vtb_pool* pool, int32_t worker) {
  for (int32_t i = 0; i < pool->threads; ++i) {
    std::atomic<uint64_t>& share = pool->shares[(worker + i) % pool->threads].range;
    uint64_t range = share.load(std::memory_order_relaxed);
    for (;;) {
      const uint32_t begin = static_cast<uint32_t>(range), end = static_cast<uint32_t>(range >> 32);
      if (begin == end) break;
      const uint64_t rest = i == 0 ? range + one_begin : range - one_end;
      if (!share.compare_exchange_weak(range, rest, std::memory_order_relaxed)) continue;
      pool->function(pool->context, i == 0 ? begin : end - 1, worker);
      range = rest;
    }
  }
}

// How many workers may be inside a region: all that callers who work alone leave.
int32_t places(const vtb_pool* pool) { return pool->threads - 1 - pool->alone.load(std::memory_order_relaxed); }

// Returns whether there was a place for the worker. Any of them takes any place: a wake-up reaches whichever it
// reaches.
bool help(vtb_pool* pool, int32_t worker) {
  uint32_t region = pool->region.load(std::memory_order_relaxed);
  do {
    if (static_cast<int32_t>(region & inside) >= places(pool)) return false;
    if (!(region & region_open)) return true;
  } while (!pool->region.compare_exchange_weak(region, region + 1, std::memory_order_acquire));
  take_tasks(pool, worker);
  const uint32_t before = pool->region.fetch_sub(1, std::memory_order_release);
  if ((before & inside) == 1 && (before & caller_parked)) futex_wake(pool->region, 1);
  return true;
}

void wait_for_region(vtb_pool* pool, uint32_t seen, bool spin) {
  const auto changed = [=] { return pool->regions_opened.load(std::memory_order_acquire) != seen; };
  if (spin && spin_until(changed)) return;
  pool->sleepers.fetch_add(1);
  while (!changed()) futex_wait(pool->regions_opened, seen);
  pool->sleepers.fetch_sub(1);
}

void* worker_main(void* argument) {
  const Worker& self = *static_cast<Worker*>(argument);
  vtb_pool* pool = self.pool;
  uint32_t seen = 0;
  bool wanted = true;
  for (;;) {
    wait_for_region(pool, seen, wanted);
    seen = pool->regions_opened.load(std::memory_order_acquire);
    if (pool->stopping.load(std::memory_order_relaxed)) return nullptr;
    wanted = help(pool, self.index);
  }
}

void announce(vtb_pool* pool, int64_t tasks) {
  // Sequentially consistent against wait_for_region: either the worker sees the change or this sees the sleeper.
  pool->regions_opened.fetch_add(1);
  const int32_t wanted = static_cast<int32_t>(std::min<int64_t>(tasks - 1, places(pool)));
  const int32_t awake = pool->threads - 1 - pool->sleepers.load();
  if (wanted > awake) futex_wake(pool->regions_opened, wanted - awake);
}

void close_region(vtb_pool* pool) {
  pool->region.fetch_and(~region_open, std::memory_order_acq_rel);
  const auto empty = [=] { return (pool->region.load(std::memory_order_acquire) & inside) == 0; };
  if (spin_until(empty)) return;
  const uint32_t value = pool->region.fetch_or(caller_parked, std::memory_order_acq_rel);
  for (uint32_t now = value | caller_parked; now & inside; now = pool->region.load(std::memory_order_acquire)) {
    futex_wait(pool->region, now);
  }
}

// Starts a worker that no signal of the process disturbs, except those that report its own faults and SIGPROF, by
// which profilers sample a thread.
bool start(Worker* worker) {
  sigset_t blocked, previous;
  sigfillset(&blocked);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGPROF}) sigdelset(&blocked, signal);
  pthread_sigmask(SIG_SETMASK, &blocked, &previous);
  const bool started = pthread_create(&worker->thread, nullptr, worker_main, worker) == 0;
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  if (!started) return false;
  char name[16];
  std::snprintf(name, sizeof name, "vertebra-%d", worker->index);
  pthread_setname_np(worker->thread, name);
  return true;
}

void stop(vtb_pool* pool, int32_t workers) {
  pool->stopping.store(true);
  pool->regions_opened.fetch_add(1);
  futex_wake(pool->regions_opened, INT_MAX);
  for (int32_t i = 0; i < workers; ++i) pthread_join(pool->workers[i].thread, nullptr);
  delete[] pool->workers;
  delete[] pool->shares;
  delete pool;
}

}  // namespace

namespace vtb {

void run_tasks(vtb_pool* pool, int64_t tasks, TaskFunction function, const void* context) {
  if (tasks <= 1 || pool->threads == 1) {
    for (int64_t i = 0; i < tasks; ++i) function(context, i, 0);
    return;
  }
  // When the other threads' worth of callers already works alone, so does this one.
  if (places(pool) <= 0 || pool->busy.exchange(true, std::memory_order_acquire)) {
    pool->alone.fetch_add(1, std::memory_order_relaxed);
    for (int64_t i = 0; i < tasks; ++i) function(context, i, 0);
    pool->alone.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
  pool->function = function;
  pool->context = context;
  deal_out(pool, static_cast<uint64_t>(tasks));
  pool->region.store(region_open, std::memory_order_release);
  announce(pool, tasks);
  take_tasks(pool, 0);
  close_region(pool);
  pool->busy.store(false, std::memory_order_release);
}

}  // namespace vtb

extern "C" {

vtb_pool* vtb_pool_create(int32_t threads) {
  vtb_pool* pool = new (std::nothrow) vtb_pool();
  if (!pool) return nullptr;
  pool->threads = threads;
  pool->workers = new (std::nothrow) Worker[threads - 1];
  pool->shares = new (std::nothrow) Share[threads];
  if (!pool->workers || !pool->shares) {
    stop(pool, 0);
    return nullptr;
  }
  for (int32_t i = 0; i < threads - 1; ++i) {
    pool->workers[i] = {pool, i + 1, {}};
    if (!start(&pool->workers[i])) {
      stop(pool, i);
      return nullptr;
    }
  }
  return pool;
}

void vtb_pool_destroy(vtb_pool* pool) {
  if (pool) stop(pool, pool->threads - 1);
}

int32_t vtb_pool_threads(const vtb_pool* pool) { return pool->threads; }

}  // extern "C"
