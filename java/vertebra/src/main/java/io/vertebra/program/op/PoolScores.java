package io.vertebra.program.op;

import io.vertebra.tensor.Shape;

/**
 * Scores for a map of half the height and width: means of 2 x 2 scores, then scaled so that an image's (or clip's) sum
 * stays the same.
 */
public record PoolScores() implements Op {
  private static final Window PAIRS
      = new Window(new Window.Extent(1, 2, 2), new Window.Extent(1, 2, 2), new Window.Extent(0, 0, 0));

  @Override
  public Shape result(Shape in) {
    Fit.require(in.channels() == 1 && (in.rank() == 4 || in.rank() == 5), "map of scores", in);
    return PAIRS.slide(in, 1);
  }

  @Override
  public <R> R accept(Visitor<R> visitor, Call call) {
    return visitor.poolScores(this, call);
  }
}
