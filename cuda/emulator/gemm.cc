// The matrix product that stands for cuBLAS.
#include "half.h"
#include "stream.h"

namespace vtb::emulator {
namespace {

int64_t bytes_of(vtbc_dtype dtype) { return dtype == VTBC_F32 ? 4 : 2; }

float read(uint64_t from, int64_t i, vtbc_dtype dtype) {
  switch (dtype) {
    case VTBC_F16: return __half2float(reinterpret_cast<const __half*>(from)[i]);
    case VTBC_BF16: return __bfloat162float(reinterpret_cast<const __nv_bfloat16*>(from)[i]);
    default: return reinterpret_cast<const float*>(from)[i];
  }
}

void write(uint64_t to, int64_t i, vtbc_dtype dtype, float value) {
  switch (dtype) {
    case VTBC_F16: reinterpret_cast<__half*>(to)[i] = __float2half_rn(value); break;
    case VTBC_BF16: reinterpret_cast<__nv_bfloat16*>(to)[i] = __float2bfloat16_rn(value); break;
    default: reinterpret_cast<float*>(to)[i] = value;
  }
}

vtbe_status check(const char* name, uint64_t address, int64_t elements, vtbc_dtype dtype) {
  const std::string what = std::string("gemm: ") + name;
  if (address % bytes_of(dtype) != 0) return failed(VTBE_INVALID_VALUE, what + " is not aligned to its elements");
  return check_range(what, address, elements * bytes_of(dtype));
}

struct Product {
  vtbc_dtype dtype;
  int64_t m, n, k;
  uint64_t rows, weights, out;

  vtbe_status run() const {
    vtbe_status status = check("rows", rows, m * k, dtype);
    if (status == VTBE_OK) status = check("weights", weights, n * k, dtype);
    if (status == VTBE_OK) status = check("out", out, m * n, dtype);
    if (status == VTBE_OK) multiply();
    return status;
  }

  void multiply() const {
    std::vector<float> columns(n * k);  // of the weights
    for (int64_t i = 0; i < n * k; ++i) columns[i % k * n + i / k] = read(weights, i, dtype);
    std::vector<float> sums(n);
    for (int64_t i = 0; i < m; ++i) {
      std::fill(sums.begin(), sums.end(), 0.0f);
      for (int64_t p = 0; p < k; ++p) {
        const float factor = read(rows, i * k + p, dtype);
        for (int64_t j = 0; j < n; ++j) sums[j] += columns[p * n + j] * factor;
      }
      for (int64_t j = 0; j < n; ++j) write(out, i * n + j, dtype, sums[j]);
    }
  }
};

}  // namespace
}  // namespace vtb::emulator

using namespace vtb::emulator;

extern "C" vtbe_status vtbe_gemm(vtbe_stream* stream, vtbc_dtype dtype, int32_t m, int32_t n, int32_t k, uint64_t rows,
                                 uint64_t weights, uint64_t out) {
  if (m < 1 || n < 1 || k < 1) {
    return failed(VTBE_INVALID_VALUE,
                  "gemm: m " + std::to_string(m) + ", n " + std::to_string(n) + ", k " + std::to_string(k));
  }
  const Product product = {dtype, m, n, k, rows, weights, out};
  return submit(stream, [product] { return product.run(); });
}
