// The kernels of vtb_measure_fma.
#pragma once

#include <cstdint>

namespace vtb {

struct FmaKernel {
  const char* name;
  // Runs `rounds` rounds of multiply-adds on registers and returns the FLOPs done. *sink takes the result.
  double (*run)(int64_t rounds, float* sink);
};

extern const FmaKernel fma_f32_generic, fma_f32_avx2, fma_f32_avx512;
extern const FmaKernel fma_int8_avx512_vnni, fma_int8_amx;
extern const FmaKernel fma_bf16_avx512_bf16, fma_bf16_amx;

}  // namespace vtb
