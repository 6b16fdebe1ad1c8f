package io.vertebra.backbone;

import io.vertebra.backend.Backend;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.Weights;
import io.vertebra.program.op.Window;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.Parameters;
import java.util.Arrays;

/** Reads layers by name and packs them for a backend. */
public record Layers(Parameters parameters, Backend backend) {

  /** {@code NAME.weight [out, in]}, packed as it lies in the checkpoint, and {@code NAME.bias} if there is one. */
  public Linear linear(String name, int out, int in, boolean bias) {
    return Linear.of(backend.packMatrix(parameters.get(name + ".weight", out, in)),
        bias ? vector(name + ".bias", out) : null);
  }

  /** A convolution {@code NAME.weight [out, in, size, size]} with bias, as a matrix over taps x channels. */
  public Linear conv(String name, int out, int in, int size) {
    return Matrix.of(parameters, name, true, out, in, size, size).pack(backend);
  }

  /**
   * A depthwise convolution {@code [channels, taps]}, whose kernels read it as {@code [taps, channels]}.
   *
   * @param multiplier outputs that a channel of the operand feeds
   */
  public DepthwiseConv depthwise(Matrix convolution, Window window, int multiplier) {
    int channels = convolution.out();
    int taps = convolution.in();
    return new DepthwiseConv(
        backend.packValues(Shape.of(taps, channels), () -> transposed(convolution.weights(), channels, taps)),
        convolution.packBias(backend), window, 0, multiplier, Activation.IDENTITY);
  }

  private static float[] transposed(float[] weights, int rows, int columns) {
    float[] transposed = new float[weights.length];
    for (int i = 0; i < transposed.length; i++) {
      transposed[i] = weights[i % rows * columns + i / rows];
    }
    return transposed;
  }

  /** A layer norm: {@code NAME.weight, .bias}. */
  public Norm norm(String name, int width, float eps) {
    return new Norm(vector(name + ".weight", width), vector(name + ".bias", width), eps);
  }

  /** A layer norm of scale 1 and shift 0. */
  public Norm unitNorm(int width, float eps) {
    float[] ones = new float[width];
    Arrays.fill(ones, 1);
    return new Norm(values(ones), values(new float[width]), eps);
  }

  public Weights vector(String name, int width) {
    return values(parameters.values(name, width));
  }

  public Weights values(float... values) {
    return backend.packValues(Shape.of(values.length), values);
  }
}
