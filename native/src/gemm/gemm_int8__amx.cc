#define VTB_ISA amx
#include "simd/avx512.h"

#include "simd/amx.h"

#include "gemm/gemm_int8.h"
#include "gemm/tiles.h"

const vtb::GemmKernel vtb::gemm_int8_amx = amx::tile_registers<amx::Int8, amx::Tiles>("gemm_int8_32x32__amx");
