#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <vector>

#include "runtime/kernels.h"
#include "runtime/pool.h"

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Work done a second: repeats round(), which returns the work of all threads, for `seconds`. The best round counts, as
// other work on the machine only ever slows a round.
template <typename Round>
double best_rate(double seconds, const Round& round) {
  double best = 0;
  const Clock::time_point start = Clock::now();
  do {
    const Clock::time_point round_start = Clock::now();
    const double work = round();
    best = std::max(best, work / seconds_since(round_start));
  } while (seconds_since(start) < seconds);
  return best;
}

}  // namespace

extern "C" {

double vtb_measure_fma(vtb_pool* pool, vtb_dtype arithmetic, double seconds) {
  const vtb::Kernels& kernels = vtb::kernels();
  const vtb::FmaKernel& kernel = arithmetic == VTB_BF16   ? kernels.fma_bf16
                                 : arithmetic == VTB_INT8 ? kernels.fma_int8
                                                          : kernels.fma_f32;
  const int32_t threads = vtb_pool_threads(pool);
  struct alignas(64) Result {
    double flops;
    float sink;
  };
  std::vector<Result> results(threads);
  return best_rate(seconds, [&] {
    vtb::parallel_for(pool, threads,
                      [&](int64_t index, int32_t) { results[index].flops = kernel.run(20000, &results[index].sink); });
    double flops = 0;
    for (const Result& result : results) flops += result.flops;
    return flops;
  });
}

double vtb_measure_copy(vtb_pool* pool, int64_t bytes, double seconds) {
  const int32_t threads = vtb_pool_threads(pool);
  const auto free_memory = [](char* memory) { vtb_free(memory); };
  const std::unique_ptr<char, void (*)(char*)> memory(static_cast<char*>(vtb_alloc(2 * bytes * threads)), free_memory);
  if (!memory) return 0;
  std::memset(memory.get(), 1, 2 * bytes * threads);
  // Enough turns that a round of a small block is not the cost of the fork and join.
  const int64_t turns = std::max<int64_t>(1, (int64_t{1} << 23) / bytes);
  return best_rate(seconds, [&] {
    vtb::parallel_for(pool, threads, [&](int64_t index, int32_t) {
      char* one = memory.get() + 2 * bytes * index;
      char* other = one + bytes;
      for (int64_t turn = 0; turn < turns; ++turn) {
        std::memcpy(other, one, bytes);
        std::memcpy(one, other, bytes);
      }
    });
    return 4.0 * static_cast<double>(bytes) * static_cast<double>(turns) * threads;
  });
}

}  // extern "C"
