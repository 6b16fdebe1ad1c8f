#include "simd/avx512.h"

#include "gemm/gemm_f32.h"

namespace vtb::avx512 {

// 28 sums, 2 weights and the row's element: 31 of 32 registers.
template <int rows>
static constexpr auto tile = multiply_tile<rows, 2, 2>;

static void (*const tiles[])(const GemmTile&) = {tile<1>, tile<2>,  tile<3>,  tile<4>,  tile<5>,  tile<6>,  tile<7>,
                                                 tile<8>, tile<9>, tile<10>, tile<11>, tile<12>, tile<13>, tile<14>};

const GemmKernel gemm_f32 = {"gemm_f32_14x32__avx512", 14, 32, 2, tiles, read_rows};

}  // namespace vtb::avx512
