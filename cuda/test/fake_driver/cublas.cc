// A libcublas.so.13 for the fake driver: the functions that Vertebra calls, over the emulator. A product without a
// stream and a workspace of its own is refused, since its graph could not be launched.
#include "vertebra_cuda_emulator.h"

#include <cstddef>
#include <cstdint>

namespace {

enum Status { kSuccess = 0, kInvalidValue = 7, kExecutionFailed = 13 };

struct Handle {
  vtbe_stream* stream = nullptr;
  void* workspace = nullptr;
  int math = 0;
};

}  // namespace

extern "C" {

int cublasCreate_v2(Handle** handle) {
  *handle = new Handle;
  return kSuccess;
}

int cublasDestroy_v2(Handle* handle) {
  delete handle;
  return kSuccess;
}

int cublasSetStream_v2(Handle* handle, vtbe_stream* stream) {
  handle->stream = stream;
  return kSuccess;
}

int cublasSetWorkspace_v2(Handle* handle, void* workspace, size_t bytes) {
  if (bytes < (4 << 20)) return kInvalidValue;
  handle->workspace = workspace;
  return kSuccess;
}

int cublasSetMathMode(Handle* handle, int mode) {
  handle->math = mode;
  return kSuccess;
}

int cublasGemmEx(Handle* handle, int transpose_a, int transpose_b, int m, int n, int k, const float* alpha,
                 const void* a, int a_type, int lda, const void* b, int b_type, int ldb, const float* beta, void* c,
                 int c_type, int ldc, int compute, int algorithm) {
  const bool f32 = a_type == 0, f16 = a_type == 2, bf16 = a_type == 14;
  const bool type_known = (f32 || f16 || bf16) && a_type == b_type && a_type == c_type;
  const bool compute_known = compute == 68 || (compute == 77 && f32);
  const bool product_known =
      transpose_a == 1 && transpose_b == 0 && *alpha == 1 && *beta == 0 && lda == k && ldb == k && ldc == m;
  if (!handle->stream || !handle->workspace || handle->math != 16 || !type_known || !compute_known || !product_known ||
      algorithm != -1) {
    return kInvalidValue;
  }
  // Its matrices are column-major.
  const vtbe_status status =
      vtbe_gemm(handle->stream,
                f32   ? VTBC_F32
                : f16 ? VTBC_F16
                      : VTBC_BF16,
                n, m, k, reinterpret_cast<uint64_t>(b), reinterpret_cast<uint64_t>(a), reinterpret_cast<uint64_t>(c));
  return status == VTBE_OK ? kSuccess : kExecutionFailed;
}

}  // extern "C"
