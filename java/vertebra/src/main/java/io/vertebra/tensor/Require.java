package io.vertebra.tensor;

import java.util.Collection;

/** Checks of arguments: what a caller may not pass is an {@link IllegalArgumentException} that names it, null too. */
public final class Require {
  private Require() {}

  /** @param name of the argument */
  public static <T> T nonNull(T value, String name) {
    if (value == null) {
      throw new IllegalArgumentException(name + " is null");
    }
    return value;
  }

  /** That neither a collection nor anything in it is null. */
  public static <C extends Collection<?>> C noNulls(C values, String name) {
    for (Object value : nonNull(values, name)) {
      if (value == null) {
        throw new IllegalArgumentException(name + " holds a null");
      }
    }
    return values;
  }

  public static int nonNegative(int value, String name) {
    if (value < 0) {
      throw new IllegalArgumentException(name + " is negative: " + value);
    }
    return value;
  }
}
