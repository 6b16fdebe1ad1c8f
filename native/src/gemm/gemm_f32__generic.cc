#include "simd/generic.h"

#include "gemm/gemm_f32.h"

namespace vtb::generic {

// 8 sums, 2 weights, the row's element and a product: 12 of 16 registers.
template <int rows>
static constexpr auto tile = multiply_tile<rows, 2, 2>;

static void (*const tiles[])(const GemmTile&) = {tile<1>, tile<2>, tile<3>, tile<4>};

const GemmKernel gemm_f32 = {"gemm_f32_4x8__generic", 4, 8, 2, tiles, read_rows};

}  // namespace vtb::generic
