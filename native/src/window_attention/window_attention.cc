#include "window_attention/window_attention.h"

#include <algorithm>

#include "runtime/dispatch.h"
#include "runtime/pool.h"
#include "runtime/rounding.h"

namespace vtb {
namespace {

Dispatched<WindowAttentionKernel> kernels{{VTB_ISA_GENERIC, window_attention_f32_generic},
                                          {VTB_ISA_AVX2, window_attention_f32_avx2},
                                          {VTB_ISA_AVX512, window_attention_f32_avx512}};

// Fewer queries than this in a task would pack keys and values too often for the arithmetic done with them.
constexpr int64_t queries_worth_packing = 48;
// With this many tasks a thread the threads end together; more of them where they are cheap.
constexpr int64_t tasks_per_thread = 4, whole_pair_tasks_per_thread = 16;

// A thread's scratch: whose keys and values it holds, then the kernel's own.
struct alignas(64) State {
  int64_t packed_pair;
  void* scratch() { return this + 1; }
};

}  // namespace
}  // namespace vtb

int64_t vtb_window_attention_scratch(const vtb_window_attention_args* args) {
  return static_cast<int64_t>(sizeof(vtb::State)) + vtb::kernels->scratch(*args);
}

vtb_status vtb_window_attention(vtb_pool* pool, const vtb_window_attention_args* call) {
  using namespace vtb;
  const vtb_window_attention_args& args = *call;
  const WindowAttentionKernel& kernel = *kernels;
  const int64_t threads = vtb_pool_threads(pool), tokens = args.tokens;
  const int64_t pairs = int64_t{args.windows} * args.heads;
  // Queries are divided where there are too few pairs, or more of them than a kernel takes. Otherwise a task takes
  // several pairs: those of a window share rows.
  const int64_t wanted = threads == 1 ? 1 : divide_up(tasks_per_thread * threads, pairs);
  const int64_t parts = std::clamp(wanted, divide_up(tokens, most_queries), divide_up(tokens, queries_worth_packing));
  const int64_t chunk = std::max<int64_t>(1, pairs / (whole_pair_tasks_per_thread * threads));
  const int64_t scratch_bytes = vtb_window_attention_scratch(call);
  const auto state_of = [&](int64_t worker) {
    return reinterpret_cast<State*>(static_cast<char*>(args.scratch) + worker * scratch_bytes);
  };
  for (int64_t worker = 0; worker < threads; ++worker) state_of(worker)->packed_pair = -1;
  parallel_for(pool, divide_up(pairs * parts, chunk), [&](int64_t task, int32_t worker) {
    State* state = state_of(worker);
    for (int64_t unit = task * chunk; unit < std::min((task + 1) * chunk, pairs * parts); ++unit) {
      const int64_t pair = unit / parts, part = unit % parts;
      kernel.run(args, pair, tokens * part / parts, tokens * (part + 1) / parts, state->packed_pair == pair,
                 state->scratch());
      state->packed_pair = pair;
    }
  });
  return VTB_OK;
}
