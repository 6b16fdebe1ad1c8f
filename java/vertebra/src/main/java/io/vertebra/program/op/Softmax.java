package io.vertebra.program.op;

import io.vertebra.tensor.Shape;

/** Softmax over channels. */
public record Softmax() implements Op {
  @Override
  public Shape result(Shape in) {
    return in;
  }

  @Override
  public <R> R accept(Visitor<R> visitor, Call call) {
    return visitor.softmax(this, call);
  }
}
