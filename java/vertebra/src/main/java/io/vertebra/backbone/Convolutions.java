package io.vertebra.backbone;

import io.vertebra.program.DType;
import io.vertebra.program.Shape;
import io.vertebra.weights.Parameter;

/** Convolution weights as channels-last kernels want them. */
public final class Convolutions {
  private Convolutions() {}

  /** {@code [out, in, (time,) height, width]} to the matrix {@code [out, taps * in]} that multiplies patches read tap by tap. */
  public static Parameter asMatrix(Parameter weight) {
    Shape shape = weight.shape();
    int in = shape.dim(1);
    int taps = Math.toIntExact(shape.elements() / shape.dim(0) / in);
    Shape matrix = Shape.of(shape.dim(0), taps * in);
    if (in == 1 || taps == 1) {
      return new Parameter(weight.name(), matrix, weight.dtype(), weight::data);
    }
    return new Parameter(weight.name(), matrix, DType.F32,
        () -> Parameter.of(weight.name(), matrix, tapsFirst(weight.toFloats(), in, taps)).data());
  }

  /** {@code [out, in, taps]} to {@code [out, taps, in]}. */
  private static float[] tapsFirst(float[] values, int in, int taps) {
    float[] permuted = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      int out = i / (taps * in);
      int channel = i % (taps * in) / taps;
      permuted[(out * taps + i % taps) * in + channel] = values[i];
    }
    return permuted;
  }
}
