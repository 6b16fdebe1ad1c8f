#include "runtime/kernels.h"

#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <mutex>

#include "runtime/isa.h"

namespace vtb {
namespace {

struct Dispatch {
  vtb_status status;
  vtb_isa detected;
  vtb_isa level;
  Kernels kernels;
  char names[1024];
};

Dispatch dispatch;

// The kernels of one level, in the order of Kernels. Without instructions for bf16 or int8, their peak is that of fp32.
#define VTB_KERNELS(isa)                                                                                             \
  {                                                                                                                  \
    isa::gemm_f32, isa::gemm_bf16, isa::gemm_int8, isa::layer_norm_f32, isa::window_attention_f32, isa::pooling_f32, \
        isa::softmax_f32, isa::sum_f32, isa::affine_f32, isa::global_filter_f32, isa::resize_f32,                    \
        isa::depthwise_conv_f32, isa::window_pool_f32, isa::winograd_conv_f32, isa::fma_f32, isa::fma_f32,           \
        isa::fma_f32, isa::resample_u8                                                                               \
  }

void fill() {
  dispatch.detected = detect_isa();
  dispatch.status = choose_isa(std::getenv("VERTEBRA_ISA"), dispatch.detected, &dispatch.level);
  if (dispatch.status != VTB_OK) return;
  Kernels& k = dispatch.kernels;
  k = VTB_KERNELS(generic);
  if (dispatch.level >= VTB_ISA_AVX2) k = VTB_KERNELS(avx2);
  if (dispatch.level >= VTB_ISA_AVX512) k = VTB_KERNELS(avx512);
  if (dispatch.level >= VTB_ISA_AVX512_VNNI) {
    k.gemm_int8 = avx512_vnni::gemm_int8;
    k.fma_int8 = avx512_vnni::fma_int8;
  }
  if (dispatch.level >= VTB_ISA_AVX512_BF16) {
    k.gemm_bf16 = avx512_bf16::gemm_bf16;
    k.fma_bf16 = avx512_bf16::fma_bf16;
  }
  if (dispatch.level >= VTB_ISA_AMX) {
    k.gemm_bf16 = amx::gemm_bf16;
    k.gemm_int8 = amx::gemm_int8;
    k.fma_bf16 = amx::fma_bf16;
    k.fma_int8 = amx::fma_int8;
  }
  char* end = dispatch.names;
  for (const char* name :
       {k.gemm_f32.name, k.gemm_bf16.name, k.gemm_int8.name, k.layer_norm.name, k.window_attention.name, k.pooling.name,
        k.softmax.name, k.sum.name, k.affine.name, k.global_filter.name, k.resize.name, k.depthwise_conv.name,
        k.window_pool.name, k.winograd_conv.name, k.fma_f32.name, k.fma_bf16.name, k.fma_int8.name, k.resample.name}) {
    const char* separator = end == dispatch.names ? "" : " ";
    end += std::snprintf(end, dispatch.names + sizeof dispatch.names - end, "%s%s", separator, name);
  }
}

}  // namespace

const Kernels& kernels() { return dispatch.kernels; }

}  // namespace vtb

extern "C" {

vtb_status vtb_init(void) {
  static std::once_flag once;
  std::call_once(once, vtb::fill);
  return vtb::dispatch.status;
}

vtb_isa vtb_isa_level(void) { return vtb::dispatch.level; }

vtb_isa vtb_isa_detected(void) { return vtb::dispatch.detected; }

const char* vtb_kernel_names(void) { return vtb::dispatch.names; }

}  // extern "C"
