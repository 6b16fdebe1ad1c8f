package io.vertebra.cuda.runtime;

/**
 * A matrix product by cuBLAS, {@code cublasGemmEx} with fp32 accumulation: {@code C = op(A) op(B) + beta C}, op(A)
 * {@code [m, k]}, op(B) {@code [k, n]}, C {@code [m, n]}, all column-major.
 *
 * @param type of A, B and C
 * @param tf32 whether fp32 products may round their operands to TF32
 */
public record GpuProduct(GpuType type, boolean tf32, boolean transposeA, boolean transposeB, int m, int n, int k,
    long a, int lda, long b, int ldb, float beta, long c, int ldc) {}
