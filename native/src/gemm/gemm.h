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
  const float* bias;       // [columns], or null
  // Only bias and residual follow the product, and then max(floor, .): 0 for ReLU, minus infinity for none.
  bool plain;
  float floor;
  int32_t activation;      // vtb_activation; this and the next are read where not plain
  bool activation_last;
  // The tile's rows of what follows are counted from the tile's first row, or from row 0 of everything if there is an
  // out_map. All are at the tile's first column.
  const float* gate;       // or null
  int64_t gate_stride;
  const float* residual;   // or null; row 0 of everything if there is a residual_map
  const int32_t* residual_map;  // or null
  float* out;
  int64_t out_stride;      // of residual too
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
