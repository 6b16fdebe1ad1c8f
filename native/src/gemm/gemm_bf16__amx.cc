#define VTB_ISA amx
#include "simd/avx512.h"

#include "simd/amx.h"

#include "gemm/gemm_bf16_tiles.h"

namespace vtb::amx {

const GemmKernel gemm_bf16 = tiles_kernel<Tiles>("gemm_bf16_32x32__amx");

}  // namespace vtb::amx
