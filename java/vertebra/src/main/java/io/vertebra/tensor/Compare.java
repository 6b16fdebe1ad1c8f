package io.vertebra.tensor;

/** How far an output is from what it should be. */
public final class Compare {
  private Compare() {}

  /**
   * {@code ||actual - expected|| / ||expected||}; infinite if the lengths differ, absolute if {@code expected} is all
   * zeros. NaN in either gives NaN, which is not below any tolerance.
   */
  public static double relativeError(double[] actual, double[] expected) {
    if (actual.length != expected.length) {
      return Double.POSITIVE_INFINITY;
    }
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < actual.length; i++) {
      difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
      norm += expected[i] * expected[i];
    }
    return Math.sqrt(difference) / (norm == 0 ? 1 : Math.sqrt(norm));
  }
}
