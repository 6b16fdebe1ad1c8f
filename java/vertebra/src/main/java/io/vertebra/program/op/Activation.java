package io.vertebra.program.op;

/** Elementwise functions that operations apply to their results. */
public enum Activation {
  IDENTITY,
  /** The exact form, {@code 0.5 x (1 + erf(x / sqrt 2))}. */
  GELU, RELU,
  /** {@code x / (1 + exp(-x))}. */
  SILU, SIGMOID, TANH
}
