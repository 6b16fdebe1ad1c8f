package io.vertebra.cuda.runtime;

/**
 * A matrix product by cuBLAS with fp32 accumulation: {@code out = rows weights^T}, rows {@code [m, k]}, weights
 * {@code [n, k]}, out {@code [m, n]}, all row-major and of one type.
 *
 * @param tf32 whether fp32 products may round their operands to TF32
 */
public record GpuProduct(GpuType type, boolean tf32, int m, int n, int k, long rows, long weights, long out) {}
