package io.vertebra.program.op;

import io.vertebra.tensor.Require;

/**
 * LayerNorm over channels: biased variance, scale and shift. Both weights have shape {@code [channels]}.
 *
 * @param eps is added to the variance; not negative
 */
public record Norm(Weights gamma, Weights beta, float eps) {
  public Norm {
    Require.nonNull(gamma, "gamma");
    Require.nonNull(beta, "beta");
    Fit.requireFinite(eps, "eps");
    if (eps < 0) {
      throw new IllegalArgumentException("eps is negative: " + eps);
    }
  }
}
