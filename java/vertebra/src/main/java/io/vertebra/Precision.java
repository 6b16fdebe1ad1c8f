package io.vertebra;

/** Arithmetic of a model's matrix products. */
public enum Precision {
  /** Single precision throughout; agrees with the published implementations to a relative 1e-4. */
  FP32,
  /**
   * Weights and the inputs of products are rounded to bf16 (8 bits of precision), and the products summed in single precision; normalisation,
   * activations, residuals and softmax stay in single precision, and so do sums of fewer than 32 products, such as those of a first 3x3 convolution. Logits agree with the published implementations to a relative 2e-2. Fast with
   * AVX-512 BF16 or AMX (levels {@code avx512_bf16} and {@code amx}); elsewhere correct, but slower than {@link #FP32}.
   */
  BF16,
  /** On a CUDA device alone: activations and weights are stored in fp16 (11 bits of precision, up to 65504), arithmetic is in single precision. */
  FP16,
  /** On a CUDA device alone: {@link #FP32} whose large matrix products round their operands to TF32 (11 bits of precision). */
  TF32
}
