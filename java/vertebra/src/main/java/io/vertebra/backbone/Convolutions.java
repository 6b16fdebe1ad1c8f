package io.vertebra.backbone;

import io.vertebra.program.DType;
import io.vertebra.program.Shape;
import io.vertebra.weights.Parameter;

/** Convolution weights as channels-last kernels want them. */
final class Convolutions {
  private Convolutions() {}

  /** {@code [out, in, height, width]} to the matrix {@code [out, height * width * in]} that multiplies patches read pixel by pixel. */
  static Parameter asMatrix(Parameter weight) {
    Shape shape = weight.shape();
    int in = shape.dim(1);
    int area = shape.dim(2) * shape.dim(3);
    Shape matrix = Shape.of(shape.dim(0), area * in);
    return new Parameter(weight.name(), matrix, DType.F32,
        () -> Parameter.of(weight.name(), matrix, pixelsFirst(weight.toFloats(), in, area)).data());
  }

  private static float[] pixelsFirst(float[] values, int in, int area) {
    float[] permuted = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      int out = i / (area * in);
      int channel = i % (area * in) / area;
      permuted[(out * area + i % area) * in + channel] = values[i];
    }
    return permuted;
  }
}
