#include "gemm/gemm.h"

#include <algorithm>
#include <limits>

#include "runtime/dispatch.h"
#include "runtime/pool.h"
#include "runtime/rounding.h"

namespace vtb {
namespace {

Dispatched<GemmKernel> f32{
    {VTB_ISA_GENERIC, gemm_f32_generic}, {VTB_ISA_AVX2, gemm_f32_avx2}, {VTB_ISA_AVX512, gemm_f32_avx512}};
Dispatched<GemmKernel> bf16{{VTB_ISA_GENERIC, gemm_bf16_generic},
                            {VTB_ISA_AVX2, gemm_bf16_avx2},
                            {VTB_ISA_AVX512, gemm_bf16_avx512},
                            {VTB_ISA_AVX512_BF16, gemm_bf16_avx512_bf16},
                            {VTB_ISA_AMX, gemm_bf16_amx}};
Dispatched<GemmKernel> int8{{VTB_ISA_GENERIC, gemm_int8_generic},
                            {VTB_ISA_AVX2, gemm_int8_avx2},
                            {VTB_ISA_AVX512, gemm_int8_avx512},
                            {VTB_ISA_AVX512_VNNI, gemm_int8_avx512_vnni},
                            {VTB_ISA_AMX, gemm_int8_amx}};

// Fewer rows than this in a task would read the weights from L3 too often for the arithmetic done with them. Half of
// the 14x14 positions at which models do most: of less there would be three blocks, which two threads share badly.
constexpr int32_t rows_worth_a_block = 98;
// What a task may keep of its rows in L2, next to two panels of weights.
constexpr int64_t block_bytes = 512 * 1024;
// More tasks than threads, so that a thread that was held up does not hold up the others for long.
constexpr int64_t tasks_per_thread = 4;

// Staged rows lie an odd number of cache lines apart, so that a column of them spreads over all cache sets.
int64_t staged_stride(const GemmKernel& kernel, int32_t words) {
  return (divide_up(words + (has_scales(kernel) ? 1 : 0), 16) | 1) * 16;
}

// Rows that must be made before they can be multiplied, or whose columns fall into one cache set.
bool is_staged(const GemmKernel& kernel, const vtb_gemm_args& args) {
  return kernel.k_per_word > 1 || args.a_map || args.gamma || args.k % 1024 == 0;
}

// The most tiles that a block of rows may have.
int64_t max_block_tiles(const GemmKernel& kernel, int32_t k) {
  const int64_t fit = block_bytes / (static_cast<int64_t>(sizeof(float)) * words_of(kernel, k) * kernel.mr);
  return std::max(divide_up(rows_worth_a_block, kernel.mr), fit);
}

// The output as a grid of tasks: blocks of rows by blocks of panels.
struct Grid {
  int64_t row_blocks;
  int64_t column_blocks;
};

Grid split(const GemmKernel& kernel, const vtb_gemm_args& args, int64_t threads) {
  const int64_t tiles = divide_up(args.m, kernel.mr), panels = divide_up(args.n, kernel.nr);
  const int64_t tasks = threads == 1 ? 1 : threads * tasks_per_thread;
  const int64_t block_tiles =
      std::clamp(divide_up(tiles, tasks), divide_up(rows_worth_a_block, kernel.mr), max_block_tiles(kernel, args.k));
  const int64_t row_blocks = divide_up(tiles, block_tiles);
  // Columns only where there are too few rows: threads that share a block of rows each stage all of it.
  if (row_blocks >= 2 * threads) return {row_blocks, 1};
  // As many blocks of columns as there are tasks for, or some more if then no thread has more panels than the others.
  const int64_t fewest = std::min(panels, divide_up(tasks, row_blocks)), most = std::min(panels, 4 * fewest);
  const auto longest = [&](int64_t blocks) {
    return divide_up(row_blocks * blocks, threads) * divide_up(panels, blocks);
  };
  int64_t best = fewest;
  for (int64_t blocks = fewest + 1; blocks <= most; ++blocks) {
    if (longest(blocks) < longest(best)) best = blocks;
  }
  return {row_blocks, best};
}

// A thread's scratch: which block of rows it holds, then the rows, then, if they become bf16 or int8, one in fp32.
struct alignas(64) Stage {
  int64_t row_block;
  float* rows() { return reinterpret_cast<float*>(this + 1); }
};

// The rows that are read of a block of so many.
int64_t staged_rows(const GemmKernel& kernel, int64_t rows) { return rows + kernel.row_multiple - 1; }

// Whether only bias and residual follow the product, and ReLU at the very end.
bool is_plain(const vtb_gemm_args& args) {
  const bool last = args.activation_last || !args.residual;
  return !args.gate && (args.activation == VTB_IDENTITY || (args.activation == VTB_RELU && last));
}

// The most words that are summed up in one go: longer rows, and the panel they meet, would not stay in L2. What is
// summed up so far waits in the output, residual included, so what is not plain, which wants the product alone, forbids
// it. So do bytes, whose rows are short and whose sums start once.
int32_t depth(const GemmKernel& kernel, const vtb_gemm_args& args) {
  constexpr int32_t longest = 1024;
  const int32_t words = words_of(kernel, args.k);
  if (words <= longest || !is_plain(args) || has_scales(kernel)) return words;
  return static_cast<int32_t>(round_up(divide_up(words, divide_up(words, longest)), kernel.word_multiple));
}

// Points the tile at its rows, from `row` on, and columns, from `column` on; what was summed up before lies in the
// output if `partial`.
void place(const vtb_gemm_args& args, int32_t row, int32_t column, bool partial, GemmTile* tile) {
  const int64_t first = args.out_map ? 0 : row;
  tile->out = args.out + first * args.n + column;
  tile->out_map = args.out_map ? args.out_map + row : nullptr;
  if (args.gate) tile->gate = args.gate + first * args.gate_stride + column;
  if (partial) {
    tile->residual = tile->out;
    tile->residual_map = nullptr;
  } else if (args.residual) {
    tile->residual_map = args.residual_map ? args.residual_map + first : nullptr;
    tile->residual = args.residual + (args.residual_map ? 0 : first * args.n) + column;
  }
}

// Multiplies rows first_row, first_row + 1, ... , which lie at a, with the panels [panel_begin, panel_end).
void multiply_block(const GemmKernel& kernel, const vtb_gemm_args& args, const float* a, int64_t stride,
                    int32_t first_row, int32_t rows, int32_t panel_begin, int32_t panel_end) {
  const int64_t tiles = divide_up(rows, kernel.mr);
  const int32_t words = words_of(kernel, args.k), step = depth(kernel, args);
  GemmTile tile = {};
  tile.a_stride = stride;
  tile.plain = is_plain(args);
  tile.activation_last = args.activation_last || tile.plain;
  tile.gate_stride = args.gate_stride;
  tile.out_stride = args.n;
  // The tiles of a panel share the lines of the one that comes after it.
  const int32_t next_lines = static_cast<int32_t>(divide_up(kernel.unroll * kernel.nr, 16 * tiles));
  const auto panel_at = [&](int32_t panel, int32_t word) {
    const float* end = static_cast<const float*>(args.weight) + (panel + 1) * panel_words(kernel, args.k);
    return end - int64_t{words - word} * kernel.nr;
  };
  const int32_t after_last = panel_end < divide_up(args.n, kernel.nr) ? panel_end : 0;
  for (int32_t word = 0; word < words; word += step) {
    tile.words = std::min(step, words - word);
    const bool last = word + tile.words == words;
    tile.activation = last ? args.activation : VTB_IDENTITY;
    tile.floor = tile.activation == VTB_RELU ? 0 : -std::numeric_limits<float>::infinity();
    const int64_t tile_lines = static_cast<int64_t>(tile.words / kernel.unroll) * next_lines;
    const int64_t panel_lines = int64_t{tile.words} * kernel.nr / 16;
    for (int32_t panel = panel_begin; panel < panel_end; ++panel) {
      const int32_t column = panel * kernel.nr;
      tile.panel = panel_at(panel, word);
      const float* next = panel + 1 < panel_end ? panel_at(panel + 1, word)
                          : last                ? panel_at(after_last, 0)
                                                : panel_at(panel_begin, word + step);
      tile.columns = std::min(kernel.nr, args.n - column);
      tile.bias = args.bias && word == 0 ? args.bias + column : nullptr;
      for (int64_t t = 0; t < tiles; ++t) {
        // Even shares: 49 rows are 13 + 12 + 12 + 12, not 14 + 14 + 14 + 7.
        const int32_t begin = static_cast<int32_t>(rows * t / tiles);
        const int32_t end = static_cast<int32_t>(rows * (t + 1) / tiles);
        tile.rows = end - begin;
        tile.a = a + begin * stride + word;
        tile.next_lines = t * tile_lines < panel_lines ? next_lines : 0;
        tile.next = reinterpret_cast<const char*>(next) + t * tile_lines * 64;
        place(args, first_row + begin, column, word > 0, &tile);
        kernel.tile(tile);
      }
    }
  }
}

}  // namespace

int64_t gemm_scratch(const GemmKernel& kernel, const vtb_gemm_args& args) {
  const int64_t block = std::min<int64_t>(args.m, max_block_tiles(kernel, args.k) * kernel.mr);
  const int64_t gathered = kernel.k_per_word > 1 ? round_up(args.k, 16) : 0;
  const int64_t words = staged_rows(kernel, block) * staged_stride(kernel, words_of(kernel, args.k)) + gathered;
  return static_cast<int64_t>(sizeof(Stage)) + words * static_cast<int64_t>(sizeof(float));
}

vtb_status gemm(const GemmKernel& kernel, vtb_pool* pool, const vtb_gemm_args& args) {
  const int32_t threads = vtb_pool_threads(pool);
  const Grid grid = split(kernel, args, threads);
  const int64_t panels = divide_up(args.n, kernel.nr);
  const bool staged = is_staged(kernel, args);
  const int64_t scratch_bytes = gemm_scratch(kernel, args);
  const auto stage_of = [&](int32_t worker) {
    return reinterpret_cast<Stage*>(static_cast<char*>(args.scratch) + worker * scratch_bytes);
  };
  if (staged) {
    for (int32_t worker = 0; worker < threads; ++worker) stage_of(worker)->row_block = -1;
  }
  const RowOperand operand = {args.a, args.a_map, args.groups, args.k, args.gamma, args.beta, args.eps};
  parallel_for(pool, grid.row_blocks * grid.column_blocks, [&](int64_t index, int32_t worker) {
    const int64_t row_block = index / grid.column_blocks, column_block = index % grid.column_blocks;
    const int32_t first_row = static_cast<int32_t>(args.m * row_block / grid.row_blocks);
    const int32_t last_row = static_cast<int32_t>(args.m * (row_block + 1) / grid.row_blocks);
    const float* a = args.a + int64_t{first_row} * args.k;
    int64_t stride = args.k;
    if (staged) {
      Stage* stage = stage_of(worker);
      const int32_t words = words_of(kernel, args.k);
      a = stage->rows();
      stride = staged_stride(kernel, words);
      if (stage->row_block != row_block) {
        float* gathered = stage->rows() + staged_rows(kernel, last_row - first_row) * stride;
        kernel.stage_rows(operand, first_row, last_row, stage->rows(), words, stride, gathered);
        stage->row_block = row_block;
      }
    }
    if (kernel.enter) kernel.enter();
    multiply_block(kernel, args, a, stride, first_row, last_row - first_row,
                   static_cast<int32_t>(panels * column_block / grid.column_blocks),
                   static_cast<int32_t>(panels * (column_block + 1) / grid.column_blocks));
    if (kernel.leave) kernel.leave();
  });
  return VTB_OK;
}

const GemmKernel& gemm_kernel(int32_t arithmetic, int32_t k) {
  if (k >= VTB_SHORTEST_ROUNDED) {
    if (arithmetic == VTB_BF16) return *bf16;
    if (arithmetic == VTB_INT8 && k <= VTB_LONGEST_INT8) return *int8;
  }
  return *f32;
}

}  // namespace vtb

extern "C" {

int64_t vtb_gemm_scratch(const vtb_gemm_args* args) {
  return vtb::gemm_scratch(vtb::gemm_kernel(args->arithmetic, args->k), *args);
}

vtb_status vtb_gemm(vtb_pool* pool, const vtb_gemm_args* args) {
  return vtb::gemm(vtb::gemm_kernel(args->arithmetic, args->k), pool, *args);
}

}  // extern "C"
