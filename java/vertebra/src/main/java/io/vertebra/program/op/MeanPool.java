package io.vertebra.program.op;

import io.vertebra.tensor.Shape;

/** {@code [batch, ..., channels]} to {@code [batch, channels]}: the mean over all positions. */
public record MeanPool() implements Op {
  @Override
  public Shape result(Shape in) {
    Fit.requireBatch(in);
    return Shape.of(in.dim(0), in.channels());
  }

  @Override
  public <R> R accept(Visitor<R> visitor, Call call) {
    return visitor.meanPool(this, call);
  }
}
