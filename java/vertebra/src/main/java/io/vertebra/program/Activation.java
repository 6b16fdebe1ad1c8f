package io.vertebra.program;

/** Elementwise functions an {@link Epilogue} applies. */
public enum Activation {
  IDENTITY,
  /** The exact form, {@code 0.5 x (1 + erf(x / sqrt 2))}. */
  GELU
}
