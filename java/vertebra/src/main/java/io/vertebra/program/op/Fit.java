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

  /** A batch of anything: of a single axis nobody could tell what it is. */
  static void requireBatch(Shape in) {
    require(in.rank() > 1, "batch", in);
  }

  /** @throws IllegalArgumentException {@code name is NaN}, or infinite */
  static void requireFinite(float value, String name) {
    if (!Float.isFinite(value)) {
      throw new IllegalArgumentException(name + " is " + value);
    }
  }

  /** Whether {@code count} channels from {@code first} on are among those of a shape. */
  static boolean hasChannels(Shape shape, int first, int count) {
    return first >= 0 && first <= shape.channels() - count;
  }

  /** Whether weights are null or have so many elements. */
  static boolean isVector(Weights weights, int elements) {
    return weights == null || weights.shape().elements() == elements;
  }
}
