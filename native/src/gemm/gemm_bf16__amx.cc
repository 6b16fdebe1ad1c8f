#define VTB_ISA amx
#include "simd/avx512.h"

#include "simd/amx.h"

#include "gemm/gemm_bf16.h"
#include "gemm/tiles.h"

namespace vtb::amx {

const GemmKernel gemm_bf16 = {
    "gemm_bf16_32x32__amx", 32, 32, 16, 2, 16, 16, multiply_tiles<Bf16, Tiles>, stage_bf16_rows, Tiles::configure,
    Tiles::release};

}  // namespace vtb::amx
