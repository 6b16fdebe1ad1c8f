package io.vertebra.program.op;

import io.vertebra.tensor.Require;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * {@code activation(in * factor[batch element] * scale + shift)}, channel by channel.
 *
 * @param factor {@code [batch, channels]}, or null
 * @param scale {@code [channels]}, or null
 * @param shift {@code [channels]}, or null
 */
public record Affine(Tensor factor, Weights scale, Weights shift, Activation activation) implements Op {
  public Affine {
    Require.nonNull(activation, "activation");
  }

  public static Affine of(Weights scale, Weights shift) {
    return new Affine(null, scale, shift, Activation.IDENTITY);
  }

  /** The activation alone. */
  public static Affine of(Activation function) {
    return of(null, null).activation(function);
  }

  public Affine factor(Tensor other) {
    return new Affine(other, scale, shift, activation);
  }

  public Affine activation(Activation function) {
    return new Affine(factor, scale, shift, function);
  }

  @Override
  public Shape result(Shape in) {
    Fit.requireBatch(in);
    Fit.require(factor == null || factor.shape().equals(Shape.of(in.dim(0), in.channels())), "factor", in);
    Fit.require(Fit.isVector(scale, in.channels()), "scale", in);
    Fit.require(Fit.isVector(shift, in.channels()), "shift", in);
    return in;
  }

  @Override
  public List<Tensor> reads() {
    return Stream.ofNullable(factor).toList();
  }

  @Override
  public List<Weights> values() {
    return Stream.of(scale, shift).filter(Objects::nonNull).toList();
  }

  @Override
  public Tensor replaceable(Tensor in) {
    return factor == in ? null : in;
  }

  @Override
  public <R> R accept(Visitor<R> visitor, Call call) {
    return visitor.affine(this, call);
  }
}
