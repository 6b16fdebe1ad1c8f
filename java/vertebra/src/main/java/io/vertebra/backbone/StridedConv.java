package io.vertebra.backbone;

import io.vertebra.program.Recorder;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.Window;
import io.vertebra.tensor.Tensor;

/**
 * A convolution as a matrix product over the rows that its window reads: cheap where windows overlap little.
 *
 * @param product over taps x channels
 */
public record StridedConv(Linear product, Window window) {
  private static final Window POINT = Window.square(1, 1, 0);

  public StridedConv activation(Activation function) {
    return new StridedConv(product.activation(function), window);
  }

  /** Sizes round down. */
  public Tensor record(Recorder r, String name, Tensor x) {
    return r.record(name, window.equals(POINT) ? product : product.gather(window.rows(x.shape())), x,
        window.slide(x.shape(), product.channels()));
  }
}
