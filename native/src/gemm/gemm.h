// The kernels of vtb_gemm, and the form in which they want the weights.
//
// Operands are rows of 32-bit words along k: a word is one fp32, two bf16, or four bytes, the first in the lowest bits.
// Rows are filled up to whole words, of bf16 with zeros, of bytes with anything times zero. A row of bytes of the left
// operand is followed by a word more: its scale.
//
// Packed weights: panels of `nr` output channels, one after the other; inside a panel word-major, so that word i of
// channel p * nr + j is packed[p][i][j]. The last panel is filled up with zero channels. Of bytes, two rows precede a
// panel's words: what each channel's sums start as, in int32, and its scale, in fp32.
#pragma once

#include <cstdint>

#include "runtime/rounding.h"
#include "shared/rows.h"
#include "vertebra.h"

namespace vtb {

// One tile of the output: up to mr rows, up to nr columns, over all of k.
struct GemmTile {
  const float* a;      // the tile's first row, in words
  int64_t a_stride;    // words from row to row
  const float* panel;  // packed weights, [words, nr]; of bytes, two rows lie in front
  int32_t words;       // of k
  int32_t rows;        // 1 .. mr that exist
  int32_t columns;     // 1 .. nr that exist
  const char* next;    // weights needed soon, to be brought into L2 on the way:
  int32_t next_lines;  // so many cache lines every `unroll` words of k
  const float* bias;   // [columns], or null
  // Only bias and residual follow the product, and then max(floor, .): 0 for ReLU, minus infinity for none.
  bool plain;
  float floor;
  int32_t activation;  // vtb_activation; this and the next are read where not plain
  bool activation_last;
  // The tile's rows of what follows are counted from the tile's first row, or from row 0 of everything if there is an
  // out_map. All are at the tile's first column.
  const float* gate;  // or null
  int64_t gate_stride;
  const float* residual;        // or null; row 0 of everything if there is a residual_map
  const int32_t* residual_map;  // or null
  float* out;
  int64_t out_stride;      // of residual too
  const int32_t* out_map;  // [rows of the tile], or null
};

struct GemmKernel {
  const char* name;
  int32_t mr, nr;
  int32_t unroll;
  int32_t k_per_word;  // 1: fp32, 2: bf16, 4: int8
  // Rows of the left operand are read so many at a time, and words of both so many, which the words are filled up to.
  int32_t row_multiple, word_multiple;
  void (*tile)(const GemmTile& tile);
  // Writes rows [begin, end) of the operand to out, filled up to `words`, `stride` words apart. `gathered` is scratch,
  // [k] floats, if words hold more than one element.
  void (*stage_rows)(const RowOperand& operand, int64_t begin, int64_t end, float* out, int32_t words, int64_t stride,
                     float* gathered);
  // Around each thread's run of tiles; or null.
  void (*enter)();
  void (*leave)();
};

extern const GemmKernel gemm_f32_generic, gemm_f32_avx2, gemm_f32_avx512;
extern const GemmKernel gemm_bf16_generic, gemm_bf16_avx2, gemm_bf16_avx512, gemm_bf16_avx512_bf16, gemm_bf16_amx;
extern const GemmKernel gemm_int8_generic, gemm_int8_avx2, gemm_int8_avx512, gemm_int8_avx512_vnni, gemm_int8_amx;

// The kernel in use for VTB_F32, VTB_BF16 or VTB_INT8 and rows of k elements.
const GemmKernel& gemm_kernel(int32_t arithmetic, int32_t k);

// What the functions of vertebra.h do, with a kernel of one's own.
int64_t gemm_packed_bytes(const GemmKernel& kernel, int32_t n, int32_t k);
vtb_status gemm_pack(const GemmKernel& kernel, vtb_pool* pool, const void* weight, vtb_dtype dtype, int32_t n,
                     int32_t k, void* packed);
int64_t gemm_scratch(const GemmKernel& kernel, const vtb_gemm_args& args);
vtb_status gemm(const GemmKernel& kernel, vtb_pool* pool, const vtb_gemm_args& args);

// Words of a row of k elements.
inline int32_t words_of(const GemmKernel& kernel, int32_t k) {
  return static_cast<int32_t>(round_up(divide_up(k, kernel.k_per_word), kernel.word_multiple));
}

// In int8 a row or channel of smaller magnitudes has the scale of this one, whose inverse is finite.
constexpr float int8_smallest = 0x1p-100f;

// Whether words hold bytes, so that rows of the left operand and channels have scales.
inline bool has_scales(const GemmKernel& kernel) { return kernel.k_per_word == 4; }

// Words of a panel of a weight with rows of k elements.
inline int64_t panel_words(const GemmKernel& kernel, int32_t k) {
  return (words_of(kernel, k) + (has_scales(kernel) ? int64_t{2} : 0)) * kernel.nr;
}

}  // namespace vtb
