package io.vertebra.reference;

import io.vertebra.program.op.Activation;

/** Elementwise functions in double precision. */
final class Functions {
  private static final double SQRT_PI = Math.sqrt(Math.PI);

  private Functions() {}

  static double apply(Activation activation, double x) {
    return switch (activation) {
      case IDENTITY -> x;
      case GELU -> gelu(x);
      case RELU -> Math.max(0, x);
      case SILU -> x / (1 + Math.exp(-x));
      case SIGMOID -> 1 / (1 + Math.exp(-x));
      case TANH -> Math.tanh(x);
    };
  }

  /** {@code x Phi(x)}, with Phi the standard normal distribution; also accurate far in the negative tail. */
  static double gelu(double x) {
    return x * 0.5 * erfc(-x / Math.sqrt(2));
  }

  /**
   * {@code 1 - erf(x)}, to a relative error of about 1e-14, by textbook expansions (Abramowitz and Stegun, 7.1.6 and
   * 7.1.14).
   */
  static double erfc(double x) {
    if (x < 2) {
      return x < -6 ? 2 : 1 - erfSeries(x);
    }
    // Continued fraction, evaluated from the far end; 60 terms suffice from x = 2 on.
    double fraction = x;
    for (int n = 60; n >= 1; n--) {
      fraction = x + n / 2.0 / fraction;
    }
    return Math.exp(-x * x) / (SQRT_PI * fraction);
  }

  private static double erfSeries(double x) {
    double term = x;
    double sum = x;
    for (int n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
      term *= 2 * x * x / (2 * n + 1);
      sum += term;
    }
    return 2 / SQRT_PI * Math.exp(-x * x) * sum;
  }
}
