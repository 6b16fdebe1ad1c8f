package io.vertebra.program.op;

import io.vertebra.tensor.Shape;

/** The form of what an operation's checks say. */
final class Fit {
  private Fit() {}

  /** @throws IllegalArgumentException {@code what does not fit shape} */
  static void require(boolean fits, String what, Shape shape) {
    if (!fits) {
      throw new IllegalArgumentException(what + " does not fit " + shape);
    }
  }

  /** Whether weights are null or have so many elements. */
  static boolean isVector(Weights weights, int elements) {
    return weights == null || weights.shape().elements() == elements;
  }
}
