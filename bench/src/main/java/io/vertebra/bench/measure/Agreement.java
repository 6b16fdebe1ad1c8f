package io.vertebra.bench.measure;

import io.vertebra.tensor.Compare;
import java.util.stream.IntStream;

/** How far two engines' answers lie apart. */
public final class Agreement {
  private Agreement() {}

  /** {@code ||actual - expected|| / ||expected||}; NaN if either holds NaN. */
  public static double relativeError(float[] actual, float[] expected) {
    return Compare.relativeError(widen(actual), widen(expected));
  }

  private static double[] widen(float[] values) {
    return IntStream.range(0, values.length).mapToDouble(i -> values[i]).toArray();
  }
}
