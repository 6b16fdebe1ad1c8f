// Windowed multi-head attention; see "windowed attention" in vertebra.h.
#pragma once

#include <cstdint>

#include "vertebra.h"

namespace vtb {

// Queries of one call of a kernel.
constexpr int64_t most_queries = 512;

struct WindowAttentionKernel {
  const char* name;
  // Bytes one thread needs; a multiple of 64.
  int64_t (*scratch)(const vtb_window_attention_args& args);
  // Computes the queries [begin, end), at most most_queries, of a pair: head `pair` % heads of window `pair` / heads.
  // `scratch` is one thread's; with `packed`, the last call there was for the same pair.
  void (*run)(const vtb_window_attention_args& args, int64_t pair, int64_t begin, int64_t end, bool packed,
              void* scratch);
};

extern const WindowAttentionKernel window_attention_f32_generic, window_attention_f32_avx2, window_attention_f32_avx512;

}  // namespace vtb
