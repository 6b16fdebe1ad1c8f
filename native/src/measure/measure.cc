#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <vector>

#include "measure/measure.h"
#include "runtime/dispatch.h"
#include "runtime/pool.h"

namespace vtb {
namespace {

Dispatched<FmaKernel> fma_f32{
    {VTB_ISA_GENERIC, fma_f32_generic}, {VTB_ISA_AVX2, fma_f32_avx2}, {VTB_ISA_AVX512, fma_f32_avx512}};
Dispatched<FmaKernel> fma_bf16{{VTB_ISA_AVX512_BF16, fma_bf16_avx512_bf16}, {VTB_ISA_AMX, fma_bf16_amx}};
Dispatched<FmaKernel> fma_int8{{VTB_ISA_AVX512_VNNI, fma_int8_avx512_vnni}, {VTB_ISA_AMX, fma_int8_amx}};

// Without instructions for bf16 or int8, their peak is that of fp32.
const FmaKernel& fma_kernel(vtb_dtype arithmetic) {
  if (arithmetic == VTB_BF16 && fma_bf16.name()) return *fma_bf16;
  if (arithmetic == VTB_INT8 && fma_int8.name()) return *fma_int8;
  return *fma_f32;
}

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
}  // namespace vtb

extern "C" {

double vtb_measure_fma(vtb_pool* pool, vtb_dtype arithmetic, double seconds) {
  const vtb::FmaKernel& kernel = vtb::fma_kernel(arithmetic);
  const int32_t threads = vtb_pool_threads(pool);
  struct alignas(64) Result {
    double flops;
    float sink;
  };
  std::vector<Result> results(threads);
  return vtb::best_rate(seconds, [&] {
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
  return vtb::best_rate(seconds, [&] {
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
