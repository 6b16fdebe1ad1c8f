package io.vertebra.program.op;

import io.vertebra.tensor.Require;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;

/**
 * Which tokens of an image the blocks of a light UniFormer compute on (Li et al., "UniFormer: Unifying Convolution and
 * Self-attention for Visual Recognition", arXiv 2201.09450, on token shrinking): those with the {@code kept} highest
 * scores. Of equal scores the earlier token's counts as higher. Unlike all others, operations with such a choice touch
 * rows that depend on values.
 *
 * @param scores one for each token, {@code [batch, ..., 1]}; null only if all tokens are kept
 */
public record TokenChoice(Tensor scores, int kept) {
  public TokenChoice {
    Require.nonNegative(kept, "kept");
  }

  /** Checks a choice among the rows of {@code tokens}, {@code [batch, ..., channels]}. */
  void check(Shape tokens) {
    Fit.requireBatch(tokens);
    int count = tokens.positions();
    Fit.require(kept <= count && (scores != null || kept == count), "choice of " + kept, tokens);
    Fit.require(scores == null || scores.shape().channels() == 1 && scores.shape().dim(0) == tokens.dim(0)
        && scores.shape().rows() == tokens.rows(), "scores", tokens);
  }

  /** What a block computes on of such tokens: of every image the class token, the kept ones, the representative. */
  public Shape shrunken(Shape tokens, int channels) {
    return Shape.of(tokens.dim(0), kept == tokens.positions() ? kept + 1 : kept + 2, channels);
  }
}
