#define VTB_ISA amx
#include "simd/avx512.h"

#include "simd/amx.h"

#include "gemm/gemm_int8.h"
#include "gemm/tiles.h"

const vtb::GemmKernel vtb::gemm_int8_amx = {"gemm_int8_32x32__amx",
                                            32,
                                            32,
                                            16,
                                            4,
                                            16,
                                            16,
                                            amx::multiply_tiles<amx::Int8, amx::Tiles>,
                                            amx::stage_int8_rows,
                                            amx::Tiles::configure,
                                            amx::Tiles::release};
