#include "simd/avx2.h"

#include "gemm/gemm_f32.h"

namespace vtb::avx2 {

// 12 sums, 3 weights and the row's element: all 16 registers.
template <int rows>
static constexpr auto tile = multiply_tile<rows, 3, 4>;

static void (*const tiles[])(const GemmTile&) = {tile<1>, tile<2>, tile<3>, tile<4>};

const GemmKernel gemm_f32 = {"gemm_f32_4x24__avx2", 4, 24, 4, tiles, read_rows};

}  // namespace vtb::avx2
