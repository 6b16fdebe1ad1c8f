package io.vertebra.backbone;

import io.vertebra.program.Backend;
import io.vertebra.program.DType;
import io.vertebra.program.Shape;
import io.vertebra.program.Weights;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.Parameters;
import java.util.function.Supplier;

/**
 * A linear layer or convolution on its way to the backend: weights {@code [out, in]} and a bias, into which neighbouring layers are folded. Each
 * method gives a changed copy. Arithmetic in double precision, rounded once a fold. Values are computed when first asked for, so that a backend
 * that only counts parameters reads none.
 */
public final class Matrix {
  private final String name;
  private final int out;
  private final int in;
  private final boolean biased;
  private final Supplier<Values> source;
  private Values values;

  /** @param bias null if there is none */
  private record Values(float[] weights, float[] bias) {}

  private Matrix(String name, int out, int in, boolean biased, Supplier<Values> source) {
    this.name = name;
    this.out = out;
    this.in = in;
    this.biased = biased;
    this.source = source;
  }

  private synchronized Values values() {
    if (values == null) {
      values = source.get();
    }
    return values;
  }

  /** Values of a per-channel affine map, such as a batch norm's: {@code y = scale x + shift}. */
  public record Affine(float[] scale, float[] shift) {
    /** A batch norm with running statistics: {@code NAME.weight, .bias, .running_mean, .running_var}. */
    public static Affine batchNorm(Parameters parameters, String name, int channels, double eps) {
      float[] gamma = parameters.values(name + ".weight", channels);
      float[] beta = parameters.values(name + ".bias", channels);
      float[] mean = parameters.values(name + ".running_mean", channels);
      float[] variance = parameters.values(name + ".running_var", channels);
      float[] scale = new float[channels];
      float[] shift = new float[channels];
      for (int c = 0; c < channels; c++) {
        double factor = gamma[c] / Math.sqrt(variance[c] + eps);
        scale[c] = (float) factor;
        shift[c] = (float) (beta[c] - mean[c] * factor);
      }
      return new Affine(scale, shift);
    }
  }

  /** {@code NAME.weight}, {@code [out, in]} or {@code [out, in, 1, 1(, 1)]} as given, and {@code NAME.bias} if there is one. */
  public static Matrix of(Parameters parameters, String name, boolean bias, int... shape) {
    Parameter weight = parameters.get(name + ".weight", shape);
    Parameter shift = bias ? parameters.get(name + ".bias", shape[0]) : null;
    int in = (int) (weight.shape().elements() / shape[0]);
    Parameter matrix = shape.length > 2 ? Convolutions.asMatrix(weight) : weight;
    return new Matrix(name, shape[0], in, bias, () -> new Values(matrix.toFloats(), bias ? parameters.finite(shift) : null));
  }

  /** No weights to be learned: output o is input {@code inputs[o]}, or zero where that is -1. */
  public static Matrix selection(String name, int[] inputs, int in) {
    float[] weights = new float[inputs.length * in];
    for (int o = 0; o < inputs.length; o++) {
      if (inputs[o] >= 0) {
        weights[o * in + inputs[o]] = 1;
      }
    }
    return new Matrix(name, inputs.length, in, false, () -> new Values(weights, null));
  }

  public int out() {
    return out;
  }

  /** Columns: input channels, times the taps of a convolution. */
  public int in() {
    return in;
  }

  /** Folds a map of the outputs in: {@code scale (W x + b) + shift}. */
  public Matrix then(Affine affine) {
    return new Matrix(name, out, in, true, () -> {
      float[] weights = values().weights();
      float[] bias = values().bias();
      float[] changed = new float[weights.length];
      float[] changedBias = new float[out];
      for (int o = 0; o < out; o++) {
        double factor = affine.scale()[o];
        for (int i = 0; i < in; i++) {
          changed[o * in + i] = (float) (factor * weights[o * in + i]);
        }
        changedBias[o] = (float) (factor * (bias == null ? 0 : bias[o]) + affine.shift()[o]);
      }
      return new Values(changed, changedBias);
    });
  }

  /** Folds a scale of the outputs in, such as a layer scale; null changes nothing. */
  public Matrix thenScale(float[] scale) {
    return scale == null ? this : then(new Affine(scale, new float[out]));
  }

  /** Folds a map of the inputs in: {@code W (scale x + shift) + b}. Exact only where nothing is padded between the two. */
  public Matrix after(Affine affine) {
    return new Matrix(name, out, in, true, () -> {
      float[] weights = values().weights();
      float[] bias = values().bias();
      float[] changed = new float[weights.length];
      float[] changedBias = new float[out];
      int channels = affine.scale().length;
      for (int o = 0; o < out; o++) {
        double sum = bias == null ? 0 : bias[o];
        for (int i = 0; i < in; i++) {
          changed[o * in + i] = (float) ((double) weights[o * in + i] * affine.scale()[i % channels]);
          sum += (double) weights[o * in + i] * affine.shift()[i % channels];
        }
        changedBias[o] = (float) sum;
      }
      return new Values(changed, changedBias);
    });
  }

  /** Of a depthwise convolution {@code [channels, taps]} that keeps its map's size: adds the operand to the output, by one more at the centre tap. */
  public Matrix plusOperand() {
    return new Matrix(name, out, in, biased, () -> {
      float[] changed = weights();
      for (int o = 0; o < out; o++) {
        changed[o * in + in / 2] += 1;
      }
      return new Values(changed, values().bias());
    });
  }

  /** Output o becomes the present output {@code rows[o]}: a part, or another order. */
  public Matrix rows(int[] rows) {
    return new Matrix(name, rows.length, in, biased, () -> {
      float[] weights = values().weights();
      float[] bias = values().bias();
      float[] changed = new float[rows.length * in];
      float[] changedBias = bias == null ? null : new float[rows.length];
      for (int o = 0; o < rows.length; o++) {
        System.arraycopy(weights, rows[o] * in, changed, o * in, in);
        if (bias != null) {
          changedBias[o] = bias[rows[o]];
        }
      }
      return new Values(changed, changedBias);
    });
  }

  /** Input i becomes the present input {@code columns[i]}. */
  public Matrix columns(int[] columns) {
    return new Matrix(name, out, columns.length, biased, () -> {
      float[] weights = values().weights();
      float[] bias = values().bias();
      float[] changed = new float[out * columns.length];
      for (int o = 0; o < out; o++) {
        for (int i = 0; i < columns.length; i++) {
          changed[o * columns.length + i] = weights[o * in + columns[i]];
        }
      }
      return new Values(changed, bias);
    });
  }

  /** A copy of the weights, {@code [out, in]} row-major. */
  public float[] weights() {
    return values().weights().clone();
  }

  /** A copy of the bias; zeros if there is none. */
  public float[] bias() {
    return biased ? values().bias().clone() : new float[out];
  }

  public Layer pack(Backend backend) {
    return layer(backend, backend.packMatrix(parameter()));
  }

  /** Packs a 3 x 3 convolution of stride 1. */
  public Layer packConvolution(Backend backend) {
    return layer(backend, backend.packConvolution(parameter()));
  }

  private Layer layer(Backend backend, Weights weights) {
    return new Layer(weights, biased ? backend.packValues(Shape.of(out), () -> values().bias()) : null);
  }

  private Parameter parameter() {
    Shape shape = Shape.of(out, in);
    return new Parameter(name, shape, DType.F32, () -> Parameter.of(name, shape, values().weights()).data());
  }
}
