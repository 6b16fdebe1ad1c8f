// The tile kernel with emulated tiles.
#pragma once

#include "gemm/gemm.h"

namespace vtb::test {

extern const GemmKernel gemm_emulated_tiles;

}  // namespace vtb::test
