package io.vertebra.program.op;

import io.vertebra.tensor.Require;
import io.vertebra.tensor.Shape;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * Each channel convolved by itself, in two or three dimensions: {@code [batch, (time,) height, width, channels]}, zero
 * padding.
 *
 * @param weights {@code [taps, out channels]}, taps in (time, height, width) order; output channel c reads input
 *   channel {@code firstChannel + c / multiplier}
 * @param bias {@code [out channels]}, or null
 * @param firstChannel of the operand's channels that are convolved; the others are not read
 */
public record DepthwiseConv(Weights weights, Weights bias, Window window, int firstChannel, int multiplier,
    Activation activation) implements Op {
  public DepthwiseConv {
    Require.nonNull(weights, "weights");
    Require.nonNull(window, "window");
    Require.nonNull(activation, "activation");
    if (multiplier < 1) {
      throw new IllegalArgumentException("multiplier must be at least 1: " + multiplier);
    }
    Require.nonNegative(firstChannel, "firstChannel");
  }

  public DepthwiseConv activation(Activation function) {
    return new DepthwiseConv(weights, bias, window, firstChannel, multiplier, function);
  }

  @Override
  public Shape result(Shape in) {
    Shape taps = weights.shape();
    int channels = taps.channels();
    Fit.require(taps.equals(Shape.of(window.taps(), channels)), "weights " + taps, in);
    Fit.require(Fit.isVector(bias, channels), "bias", in);
    Fit.require(channels % multiplier == 0 && Fit.hasChannels(in, firstChannel, channels / multiplier), "channels", in);
    return window.slide(in, channels);
  }

  @Override
  public List<Weights> values() {
    return Stream.of(weights, bias).filter(Objects::nonNull).toList();
  }

  @Override
  public long macs(Shape in, Shape out) {
    return out.elements() * window.taps();
  }

  @Override
  public long elementsRead(Shape in, Shape out) {
    return (long) in.rows() * out.channels() / multiplier;
  }

  @Override
  public <R> R accept(Visitor<R> visitor, Call call) {
    return visitor.depthwiseConv(this, call);
  }
}
