package io.vertebra.tensor;

import java.util.Locale;

/**
 * Arithmetic of a model. The CPU computes in {@link #FP32}, {@link #BF16} and {@link #INT8}, CUDA in all but
 * {@link #INT8}, the reference in double precision alone.
 */
public enum Precision {
  /** Single precision throughout; agrees with the published implementations to a relative 1e-4. */
  FP32,
  /**
   * CUDA: as {@link #FP32}, but tensor cores may round the inputs of products to TF32 (11 bits of precision, fp32's
   * range).
   */
  TF32,
  /**
   * CUDA: weights of products, and activations wherever they are stored, are fp16 (11 bits of precision, up to 65504);
   * products are summed, and everything else is computed, in single precision.
   */
  FP16,
  /**
   * Weights and the inputs of products are rounded to bf16 (8 bits of precision), and the products summed in single
   * precision.
   *
   * <p>On the CPU normalisation, activations, residuals and softmax stay in single precision, and so do sums of fewer
   * than 32 products, such as those of a first 3x3 convolution, and dense 3x3 convolutions of stride 1. Logits agree
   * with the published implementations to a relative 2e-2. Fast with AVX-512 BF16 or AMX (levels {@code avx512_bf16}
   * and {@code amx}); elsewhere correct, but slower than {@link #FP32}. With CUDA activations are bf16 wherever they
   * are stored.
   */
  BF16,
  /**
   * CPU: weights and the inputs of products are rounded to integers from -127 to 127, times a scale: of each output
   * channel, and of each row (token), whose scale is found as it comes. Integers are summed exactly; everything else is
   * computed in single precision. Needs no calibration.
   *
   * <p>Products of rows shorter than 32 and dense 3x3 convolutions of stride 1 stay in single precision. Logits agree
   * with the published implementations to a relative 5e-2, mostly 1e-2 to 2e-2. Fast with AVX-512 VNNI (from level
   * {@code avx512_vnni} on); elsewhere the sums are the same, bit by bit, about as fast as {@link #FP32}.
   */
  INT8;

  /** As people and the command line write it: {@code fp32}. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
