#include "runtime/kernels.h"

#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "runtime/isa.h"

namespace vtb {
namespace {

struct Dispatch {
  vtb_status status;
  vtb_isa detected;
  vtb_isa level;
  Kernels kernels;
  char names[512];
};

Dispatch dispatch;

void fill() {
  dispatch.detected = detect_isa();
  dispatch.status = choose_isa(std::getenv("VERTEBRA_ISA"), dispatch.detected, &dispatch.level);
  if (dispatch.status != VTB_OK) return;
  Kernels& k = dispatch.kernels;
  k = {generic::gemm_f32,    generic::layer_norm_f32, generic::window_attention_f32,
       generic::pooling_f32, generic::softmax_f32,    generic::fma_f32,
       generic::resample_u8};
  if (dispatch.level >= VTB_ISA_AVX2) {
    k = {avx2::gemm_f32,    avx2::layer_norm_f32, avx2::window_attention_f32,
         avx2::pooling_f32, avx2::softmax_f32,    avx2::fma_f32,
         avx2::resample_u8};
  }
  if (dispatch.level >= VTB_ISA_AVX512) {
    k = {avx512::gemm_f32,    avx512::layer_norm_f32, avx512::window_attention_f32,
         avx512::pooling_f32, avx512::softmax_f32,    avx512::fma_f32,
         avx512::resample_u8};
  }
  std::snprintf(dispatch.names, sizeof dispatch.names, "%s %s %s %s %s %s %s", k.gemm.name, k.layer_norm.name,
                k.window_attention.name, k.pooling.name, k.softmax.name, k.fma.name, k.resample.name);
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
