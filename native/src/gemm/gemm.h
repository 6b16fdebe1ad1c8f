// The kernel of vtb_gemm, and the form in which it wants the weights.
//
// Packed weights: panels of `nr` output channels, one after the other; inside a panel k-major, so that packed[p][i][j]
// is weight[p * nr + j][i]. The last panel is filled up with zero channels.
#pragma once

#include <cstdint>

#include "rows/rows.h"
#include "vertebra.h"

namespace vtb {

// One tile of the output: up to mr rows, up to nr columns, over all of k.
struct GemmTile {
  const float* a;          // the tile's first row
  int64_t a_stride;        // floats from row to row
  const float* panel;      // packed weights, [k, nr]
  int32_t k;
  int32_t columns;         // 1 .. nr that exist
  const char* next;        // weights needed soon, to be brought into L2 on the way:
  int32_t next_lines;      // so many cache lines every `unroll` steps of k
  bool gelu;
  const float* bias;       // [columns], or null
  const float* residual;   // as out, or null
  float* out;              // row 0 of the tile, or of the whole output if there is a map; at the tile's first column
  int64_t out_stride;
  const int32_t* out_map;  // [rows of the tile], or null
};

struct GemmKernel {
  const char* name;
  int32_t mr, nr;
  int32_t unroll;
  void (*const* tile)(const GemmTile& tile);  // tile[rows - 1], rows up to mr
  // Writes rows [begin, end) of the operand to out, `stride` floats apart.
  void (*read_rows)(const RowOperand& operand, int64_t begin, int64_t end, float* out, int64_t stride);
};

namespace generic { extern const GemmKernel gemm_f32; }
namespace avx2 { extern const GemmKernel gemm_f32; }
namespace avx512 { extern const GemmKernel gemm_f32; }

}  // namespace vtb
