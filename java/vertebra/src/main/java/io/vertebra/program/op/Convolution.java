package io.vertebra.program.op;

import io.vertebra.tensor.Require;
import io.vertebra.tensor.Shape;
import java.util.List;
import java.util.stream.Stream;

/**
 * A dense convolution of 3 x 3 taps, stride 1, zero padding 1: {@code [batch, height, width, in]} to
 * {@code [batch, height, width, out]}.
 *
 * @param weights {@code [out, 9 * in]} over (tap, channel), packed by {@code Backend.packConvolution}
 * @param bias {@code [out]}, or null
 */
public record Convolution(Weights weights, Weights bias, Activation activation) implements Op {
  /** What each output reads. */
  public static final Window WINDOW = Window.square(3, 1, 1);

  public Convolution {
    Require.nonNull(weights, "weights");
    Require.nonNull(activation, "activation");
  }

  @Override
  public Shape result(Shape in) {
    Shape matrix = weights.shape();
    Fit.require(in.rank() == 4 && matrix.rank() == 2 && matrix.dim(1) == (long) WINDOW.taps() * in.channels(),
        "weights " + matrix, in);
    Fit.require(Fit.isVector(bias, matrix.dim(0)), "bias", in);
    return in.withChannels(matrix.dim(0));
  }

  @Override
  public List<Weights> matrices() {
    return List.of(weights);
  }

  @Override
  public List<Weights> values() {
    return Stream.ofNullable(bias).toList();
  }

  @Override
  public long macs(Shape in, Shape out) {
    return (long) in.rows() * weights.shape().elements();
  }

  @Override
  public <R> R accept(Visitor<R> visitor, Call call) {
    return visitor.convolution(this, call);
  }
}
