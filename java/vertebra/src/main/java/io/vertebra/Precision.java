package io.vertebra;

/** Arithmetic of a model's matrix products. */
public enum Precision {
  /** Single precision throughout; agrees with the published implementations to a relative 1e-4. */
  FP32
}
