package io.vertebra.golden;

/** Distances between an output and what it should be. NaN in either gives NaN, which is not below any tolerance. */
public final class Compare {
  private Compare() {}

  /**
   * {@code ||actual - expected|| / ||expected||}; infinite if the lengths differ, absolute if {@code expected} is all
   * zeros.
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

  /**
   * The worst difference of mean (in standard deviations), standard deviation and L2 norm (relative) to the three
   * {@code expected}.
   */
  static double statisticsError(double[] actual, double[] expected) {
    double sum = 0;
    double squares = 0;
    for (double value : actual) {
      sum += value;
      squares += value * value;
    }
    double mean = sum / actual.length;
    double deviations = 0;
    for (double value : actual) {
      deviations += (value - mean) * (value - mean);
    }
    double deviation = Math.sqrt(deviations / actual.length);
    return worst(Math.abs(mean - expected[0]) / expected[1], worst(Math.abs(deviation - expected[1]) / expected[1],
        Math.abs(Math.sqrt(squares) - expected[2]) / expected[2]));
  }

  static double worst(double a, double b) {
    return Math.max(a, b);
  }
}
