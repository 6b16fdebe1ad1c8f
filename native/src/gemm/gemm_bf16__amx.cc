#define VTB_ISA amx
#include "simd/avx512.h"

#include "simd/amx.h"

#include "gemm/gemm_bf16.h"
#include "gemm/tiles.h"

const vtb::GemmKernel vtb::gemm_bf16_amx = amx::tile_registers<amx::Bf16, amx::Tiles>("gemm_bf16_32x32__amx");
