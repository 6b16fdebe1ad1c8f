#define VTB_ISA amx
#include "simd/avx512.h"

#include "simd/amx.h"

#include "gemm/gemm_int8.h"
#include "gemm/tiles.h"

namespace vtb::amx {

const GemmKernel gemm_int8 = {
    "gemm_int8_32x32__amx", 32, 32, 16, 4, 16, 16, multiply_tiles<Int8, Tiles>, stage_int8_rows, Tiles::configure,
    Tiles::release};

}  // namespace vtb::amx
