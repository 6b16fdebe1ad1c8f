package io.vertebra.program.op;

import io.vertebra.tensor.Require;
import io.vertebra.tensor.Shape;

/**
 * The maximum or mean of each window; padding is left out of both. {@code [batch, (time,) height, width, channels]}.
 */
public record WindowPool(Kind kind, Window window) implements Op {
  /** What is taken of a window. */
  public enum Kind { MAX, AVERAGE }

  public WindowPool {
    Require.nonNull(kind, "kind");
    Require.nonNull(window, "window");
  }

  @Override
  public Shape result(Shape in) {
    Window.Extent size = window.size();
    Window.Extent padding = window.padding();
    Fit.require(padding.time() < size.time() && padding.height() < size.height() && padding.width() < size.width(),
        "padding", in);
    return window.slide(in, in.channels());
  }

  @Override
  public <R> R accept(Visitor<R> visitor, Call call) {
    return visitor.windowPool(this, call);
  }
}
