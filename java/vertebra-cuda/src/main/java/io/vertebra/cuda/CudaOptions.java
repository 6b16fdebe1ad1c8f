package io.vertebra.cuda;

/**
 * What tests set.
 *
 * @param products who multiplies
 * @param checksWrites whether a launch that writes outside of its result fails, where the runtime can tell; slow
 */
record CudaOptions(Products products, boolean checksWrites) {
  static final CudaOptions DEFAULT = new CudaOptions(Products.RULE, false);

  /** Who does matrix products. */
  enum Products {
    /** As {@link ProductPlan} says. */
    RULE,
    /** Always {@code vtb_gemm}. */
    FUSED,
    /** Always cuBLAS. */
    CUBLAS
  }
}
