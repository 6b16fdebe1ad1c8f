package io.vertebra.program.op;

import io.vertebra.tensor.Shape;

/**
 * The mean of each of {@code rows x columns} bins of a map; bin i of n covers positions
 * {@code [floor(i size / n), ceil((i + 1) size / n))}.
 */
public record AdaptiveAveragePool(int rows, int columns) implements Op {
  @Override
  public Shape result(Shape in) {
    Fit.require(in.rank() == 4, "map", in);
    return Shape.of(in.dim(0), rows, columns, in.channels());
  }

  @Override
  public <R> R accept(Visitor<R> visitor, Call call) {
    return visitor.adaptiveAveragePool(this, call);
  }
}
