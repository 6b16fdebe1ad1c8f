#define VTB_ISA amx
#include "simd/avx512.h"

#include "simd/amx.h"

#include "gemm/gemm_bf16.h"
#include "gemm/tiles.h"

const vtb::GemmKernel vtb::gemm_bf16_amx = {"gemm_bf16_32x32__amx",
                                            32,
                                            32,
                                            16,
                                            2,
                                            16,
                                            16,
                                            amx::multiply_tiles<amx::Bf16, amx::Tiles>,
                                            amx::stage_bf16_rows,
                                            amx::Tiles::configure,
                                            amx::Tiles::release};
