package io.vertebra.tensor;

/**
 * An fp32 activation of a recorded program: a shape, channels last, whose memory the program plans. It holds no data
 * and no address; read results through the program's outputs.
 */
public final class Tensor {
  private final Shape shape;

  public Tensor(Shape shape) {
    this.shape = shape;
  }

  public Shape shape() {
    return shape;
  }

  @Override
  public String toString() {
    return "Tensor" + shape;
  }
}
