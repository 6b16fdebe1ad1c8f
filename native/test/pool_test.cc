// Fork and join, from one caller and from many, with workers awake and asleep.
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "runtime/pool.h"
#include "test_support.h"

namespace vtb::test {
namespace {

TEST(Pool, EveryTaskRunsOnceBeforeTheCallReturns) {
  for (int32_t threads : {1, 2, 3, 8}) {
    Pool pool(threads);
    EXPECT_EQ(vtb_pool_threads(pool), threads);
    for (int64_t tasks : {0, 1, 2, 3, 7, 1000}) {
      std::vector<int32_t> runs(tasks);  // plain memory: a race is the sanitizer's to find
      std::atomic<bool> worker_in_range(true);
      parallel_for(pool, tasks, [&](int64_t index, int32_t worker) {
        ++runs[index];
        if (worker < 0 || worker >= threads) worker_in_range = false;
      });
      for (int32_t count : runs) ASSERT_EQ(count, 1);
      EXPECT_TRUE(worker_in_range);
    }
  }
}

TEST(Pool, AWorkerRunsOneTaskAtATime) {
  Pool pool(4);
  std::vector<int64_t> sums(4 * 16);  // memory by worker, as scratch is
  for (int round = 0; round < 200; ++round) {
    parallel_for(pool, 64, [&](int64_t index, int32_t worker) { sums[worker * 16] += index; });
  }
  EXPECT_EQ(sums[0] + sums[16] + sums[32] + sums[48], 200 * 64 * 63 / 2);
}

// Neighbouring tasks often share memory, in one region as in the next.
TEST(Pool, AThreadTakesItsOwnShareFirstAndInOrder) {
  constexpr int32_t threads = 3;
  constexpr int64_t tasks = 31;
  Pool pool(threads);
  for (int round = 0; round < 50; ++round) {
    std::vector<int64_t> taken[threads];
    parallel_for(pool, tasks, [&](int64_t index, int32_t worker) {
      taken[worker].push_back(index);
      if (round % 2 == 0) std::this_thread::sleep_for(std::chrono::microseconds(10 * worker));  // others help
    });
    for (int64_t worker = 0; worker < threads; ++worker) {
      const int64_t begin = tasks * worker / threads, end = tasks * (worker + 1) / threads;
      int64_t own = begin;
      bool helps = false;
      for (const int64_t index : taken[worker]) {
        const bool is_own = index >= begin && index < end;
        ASSERT_FALSE(is_own && helps);
        if (is_own) {
          ASSERT_EQ(index, own++);
        }
        helps = !is_own;
      }
    }
  }
}

TEST(Pool, ManyShortRegions) {
  Pool pool(2);
  int64_t sums[2] = {0, 0};
  for (int round = 0; round < 20000; ++round) {
    parallel_for(pool, 2, [&](int64_t index, int32_t) { sums[index] += index + 1; });
  }
  EXPECT_EQ(sums[0], 20000);
  EXPECT_EQ(sums[1], 40000);
}

TEST(Pool, ParkedWorkersWakeAndAParkedCallerIsWoken) {
  Pool pool(2);
  for (int round = 0; round < 10; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));  // the worker parks
    std::atomic<int32_t> worker_done(0);
    parallel_for(pool, 2, [&](int64_t, int32_t worker) {
      if (worker == 0) {
        // Leaves the other task to the worker, unless it never comes.
        for (int wait = 0; wait < 100 && worker_done == 0; ++wait) {
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
      } else {
        worker_done = 1;
        std::this_thread::sleep_for(std::chrono::milliseconds(3));  // the caller parks
        worker_done = 2;
      }
    });
    EXPECT_EQ(worker_done, 2);
  }
}

TEST(Pool, CallersThatFindItBusyDoTheirWorkAlone) {
  Pool pool(3);
  std::vector<std::thread> callers;
  std::atomic<int64_t> total(0);
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&] {
      for (int round = 0; round < 500; ++round) {
        int64_t scratch[3 * 8] = {};
        parallel_for(pool, 20, [&](int64_t index, int32_t worker) { scratch[worker * 8] += index; });
        total += scratch[0] + scratch[8] + scratch[16];
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(total, 4 * 500 * 190);
}

void wait_until(const std::atomic<bool>& flag) {
  while (!flag) std::this_thread::sleep_for(std::chrono::microseconds(100));
}

// A caller that works without help takes a thread from the others for as long as it does.
TEST(Pool, CallersTogetherRunNoMoreTasksThanThereAreThreads) {
  for (int32_t threads : {2, 3, 4}) {
    Pool pool(threads);
    std::atomic<bool> is_alone(false), release(false);
    std::thread other;
    parallel_for(pool, 2, [&](int64_t index, int32_t) {
      if (index > 0) return;
      other = std::thread([&] {
        parallel_for(pool, 2, [&](int64_t, int32_t worker) {
          EXPECT_EQ(worker, 0);
          is_alone = true;
          wait_until(release);
        });
      });
      wait_until(is_alone);
    });
    std::atomic<int32_t> running(1), most(0);  // the other's
    for (int round = 0; round < 200; ++round) {
      if (round % 50 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(3));  // the workers park
      parallel_for(pool, 2 * threads, [&](int64_t, int32_t) {
        const int32_t now = ++running;
        for (int32_t seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        std::this_thread::sleep_for(std::chrono::microseconds(20));
        --running;
      });
    }
    EXPECT_LE(most, threads);
    // With two threads, both callers are alone. Otherwise help comes, whichever worker it is that wakes.
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    std::atomic<bool> helped(false);
    parallel_for(pool, 2, [&](int64_t, int32_t worker) {
      if (worker > 0) helped = true;
      for (int wait = 0; wait < 1000 && !helped && threads > 2; ++wait) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    });
    EXPECT_EQ(helped, threads > 2);
    release = true;
    other.join();
  }
}

TEST(Pool, ATaskMayUseThePoolItself) {
  Pool pool(2);
  std::atomic<int64_t> total(0);
  parallel_for(pool, 8, [&](int64_t, int32_t) {
    parallel_for(pool, 5, [&](int64_t index, int32_t worker) {
      EXPECT_EQ(worker, 0);
      total += index;
    });
  });
  EXPECT_EQ(total, 80);
}

TEST(Pool, WorkersAreNamedAndLeaveSignalsToOthers) {
  Pool pool(2);
  std::string name;
  sigset_t blocked;
  sigemptyset(&blocked);
  parallel_for(pool, 2, [&](int64_t, int32_t worker) {
    if (worker == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    } else {
      char text[16] = "";
      pthread_getname_np(pthread_self(), text, sizeof text);
      name = text;
      pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    }
  });
  EXPECT_EQ(name, "vertebra-1");
  for (int signal : {SIGTERM, SIGINT, SIGQUIT, SIGHUP}) EXPECT_EQ(sigismember(&blocked, signal), 1);
  EXPECT_EQ(sigismember(&blocked, SIGSEGV), 0);
}

TEST(Pool, CreatedAndDestroyedManyTimes) {
  for (int i = 0; i < 100; ++i) Pool pool(1 + i % 4);
  vtb_pool_destroy(nullptr);
}

}  // namespace
}  // namespace vtb::test
