// The matrix product that stands for cuBLAS.
#include <cstring>

#include "half.h"
#include "stream.h"

namespace vtb::emulator {
namespace {

int64_t bytes_of(vtbc_dtype dtype) { return dtype == VTBC_F32 ? 4 : 2; }

float read(const void* from, int64_t i, vtbc_dtype dtype) {
  switch (dtype) {
    case VTBC_F16: return __half2float(static_cast<const __half*>(from)[i]);
    case VTBC_BF16: return __bfloat162float(static_cast<const __nv_bfloat16*>(from)[i]);
    default: return static_cast<const float*>(from)[i];
  }
}

void write(void* to, int64_t i, vtbc_dtype dtype, float value) {
  switch (dtype) {
    case VTBC_F16: static_cast<__half*>(to)[i] = __float2half_rn(value); break;
    case VTBC_BF16: static_cast<__nv_bfloat16*>(to)[i] = __float2bfloat16_rn(value); break;
    default: static_cast<float*>(to)[i] = value;
  }
}

// A matrix of cuBLAS: column-major, columns `leading` elements apart.
struct Matrix {
  uint64_t address;
  int64_t leading, stride;
  vtbc_dtype dtype;

  void* at(int64_t i) const { return reinterpret_cast<void*>(address + i * stride * bytes_of(dtype)); }

  vtbe_status check(const char* name, int64_t rows, int64_t columns, int64_t batch) const {
    if (leading < rows) {
      return failed(VTBE_INVALID_VALUE, std::string("gemm: leading dimension ") + std::to_string(leading) + " of " +
                                            name + ", which has " + std::to_string(rows) + " rows");
    }
    if (address % bytes_of(dtype) != 0)
      return failed(VTBE_INVALID_VALUE, std::string("gemm: ") + name + " is not aligned to its elements");
    for (int64_t i = 0; i < batch; ++i) {
      const vtbe_status status =
          check_range(std::string("gemm: matrix ") + std::to_string(i) + " of " + name,
                      address + i * stride * bytes_of(dtype), (leading * (columns - 1) + rows) * bytes_of(dtype));
      if (status != VTBE_OK) return status;
    }
    return VTBE_OK;
  }
};

// [rows, columns] of the matrix, or of its transpose, as floats, column by column.
std::vector<float> unpack(const void* from, const Matrix& matrix, bool transpose, int64_t rows, int64_t columns) {
  std::vector<float> to(rows * columns);
  for (int64_t j = 0; j < columns; ++j) {
    for (int64_t i = 0; i < rows; ++i) {
      to[j * rows + i] = read(from, transpose ? i * matrix.leading + j : j * matrix.leading + i, matrix.dtype);
    }
  }
  return to;
}

struct Product {
  bool transpose_a, transpose_b;
  int64_t m, n, k;
  float alpha, beta;
  Matrix a, b, c;
  int64_t batch;

  vtbe_status run() const {
    vtbe_status status = a.check("a", transpose_a ? k : m, transpose_a ? m : k, batch);
    if (status == VTBE_OK) status = b.check("b", transpose_b ? n : k, transpose_b ? k : n, batch);
    if (status == VTBE_OK) status = c.check("c", m, n, batch);
    if (status != VTBE_OK) return status;
    for (int64_t i = 0; i < batch; ++i) multiply(a.at(i), b.at(i), c.at(i));
    return VTBE_OK;
  }

  void multiply(const void* a_from, const void* b_from, void* to) const {
    const std::vector<float> left = unpack(a_from, a, transpose_a, m, k), right = unpack(b_from, b, transpose_b, k, n);
    std::vector<float> sums(m);
    for (int64_t j = 0; j < n; ++j) {
      std::fill(sums.begin(), sums.end(), 0.0f);
      for (int64_t p = 0; p < k; ++p) {
        const float factor = right[j * k + p];
        const float* column = &left[p * m];
        for (int64_t i = 0; i < m; ++i) sums[i] += column[i] * factor;
      }
      for (int64_t i = 0; i < m; ++i) {
        const int64_t place = j * c.leading + i;
        write(to, place, c.dtype, alpha * sums[i] + (beta == 0 ? 0 : beta * read(to, place, c.dtype)));
      }
    }
  }
};

}  // namespace
}  // namespace vtb::emulator

using namespace vtb::emulator;

extern "C" vtbe_status vtbe_gemm_strided_batched(vtbe_stream* stream, int32_t transpose_a, int32_t transpose_b,
                                                 int32_t m, int32_t n, int32_t k, float alpha, uint64_t a,
                                                 vtbc_dtype dtype, int32_t lda, int64_t stride_a, uint64_t b,
                                                 int32_t ldb, int64_t stride_b, float beta, uint64_t c,
                                                 vtbc_dtype c_dtype, int32_t ldc, int64_t stride_c, int32_t batch) {
  if (m < 1 || n < 1 || k < 1 || batch < 1) {
    return failed(VTBE_INVALID_VALUE, "gemm: " + std::to_string(batch) + " products of m " + std::to_string(m) +
                                          ", n " + std::to_string(n) + ", k " + std::to_string(k));
  }
  if (c_dtype != dtype && c_dtype != VTBC_F32)
    return failed(VTBE_INVALID_VALUE, "gemm: c has neither the operands' dtype nor f32");
  const Product product = {transpose_a != 0,
                           transpose_b != 0,
                           m,
                           n,
                           k,
                           alpha,
                           beta,
                           {a, lda, stride_a, dtype},
                           {b, ldb, stride_b, dtype},
                           {c, ldc, stride_c, c_dtype},
                           batch};
  return submit(stream, [product] { return product.run(); });
}
