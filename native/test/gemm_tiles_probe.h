// The tile kernels with emulated tiles.
#pragma once

#include "gemm/gemm.h"

namespace vtb::test {

extern const GemmKernel gemm_emulated_tiles_bf16, gemm_emulated_tiles_int8;

}  // namespace vtb::test
