package io.vertebra.cuda.runtime;

/** A kernel of the fat binary. */
public interface GpuKernel {
  /** As in the sources: {@code vtb_gemm_128_f16}. */
  String name();

  /** Lets launches ask for so many bytes of dynamic shared memory, where they need more than 48 KiB. */
  void allowShared(int bytes);
}
