// The kernels of vtb_measure_fma.
#pragma once

#include <cstdint>

namespace vtb {

struct FmaKernel {
  const char* name;
  // Runs `rounds` rounds of multiply-adds on registers and returns the FLOPs done. *sink takes the result.
  double (*run)(int64_t rounds, float* sink);
};

namespace generic {
extern const FmaKernel fma_f32;
}
namespace avx2 {
extern const FmaKernel fma_f32;
}
namespace avx512 {
extern const FmaKernel fma_f32;
}
namespace avx512_vnni {
extern const FmaKernel fma_int8;
}
namespace avx512_bf16 {
extern const FmaKernel fma_bf16;
}
namespace amx {
extern const FmaKernel fma_bf16, fma_int8;
}

}  // namespace vtb
