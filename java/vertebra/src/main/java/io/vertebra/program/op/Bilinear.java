package io.vertebra.program.op;

import io.vertebra.tensor.Shape;

/**
 * A map resized bilinearly to {@code height x width}, half-pixel centres ({@code align_corners} false), no
 * antialiasing.
 */
public record Bilinear(int height, int width) implements Op {
  @Override
  public Shape result(Shape in) {
    Fit.require(in.rank() == 4, "map", in);
    return Shape.of(in.dim(0), height, width, in.channels());
  }

  @Override
  public <R> R accept(Visitor<R> visitor, Call call) {
    return visitor.bilinear(this, call);
  }
}
