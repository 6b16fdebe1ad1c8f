package io.vertebra.backbone;

import io.vertebra.backend.Backend;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Convolution;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.Weights;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.Parameters;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * A linear layer or convolution on its way to the backend: weights {@code [out, in]} and a bias, into which
 * neighbouring layers are folded. Each method gives a changed copy. Values are computed row by row when they are asked
 * for, in double precision, rounded once, and not kept: a backend that only counts parameters reads none, and one that
 * packs them holds no second copy. Immutable and thread-safe.
 */
public final class Matrix {
  private final String name;
  private final int out;
  private final int in;
  private final Rows rows;
  private final Supplier<double[]> bias;
  /** What the weights are as long as nothing is folded in; or null. */
  private final Parameter unchanged;

  /** Computes a row of the weights. */
  @FunctionalInterface
  private interface Rows {
    void read(int row, double[] into);
  }

  /** @param bias null if there is none */
  private Matrix(String name, int out, int in, Rows rows, Supplier<double[]> bias, Parameter unchanged) {
    this.name = name;
    this.out = out;
    this.in = in;
    this.rows = rows;
    this.bias = bias;
    this.unchanged = unchanged;
  }

  private Matrix(String name, int out, int in, Rows rows, Supplier<double[]> bias) {
    this(name, out, in, rows, bias, null);
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

  /**
   * {@code NAME.weight}, {@code [out, in]} or, of a convolution, {@code [out, in, (time,) height, width]}, then as the
   * matrix {@code [out, taps * in]} that multiplies patches read tap by tap; and {@code NAME.bias} if there is one.
   */
  public static Matrix of(Parameters parameters, String name, boolean bias, int... shape) {
    Parameter weight = parameters.get(name + ".weight", shape);
    Parameter shift = bias ? parameters.get(name + ".bias", shape[0]) : null;
    int columns = (int) (weight.shape().elements() / shape[0]);
    Matrix matrix
        = stored(weight.reshaped(Shape.of(shape[0], columns)), bias ? () -> widened(parameters.finite(shift)) : null);
    int taps = columns / shape[1];
    return taps == 1 || shape[1] == 1 ? matrix : matrix.columns(tapsFirst(shape[1], taps));
  }

  private static Matrix stored(Parameter weight, Supplier<double[]> bias) {
    int in = weight.shape().dim(1);
    Supplier<float[]> floats = new Supplier<>() {
      private float[] read;

      @Override
      public synchronized float[] get() {
        if (read == null) {
          read = weight.toFloats();
        }
        return read;
      }
    };
    Rows rows = (row, into) -> {
      float[] values = floats.get();
      for (int i = 0; i < in; i++) {
        into[i] = values[row * in + i];
      }
    };
    return new Matrix(weight.name(), weight.shape().dim(0), in, rows, bias, weight);
  }

  /** For every column (tap, channel) the one it is in a checkpoint, (channel, tap). */
  private static int[] tapsFirst(int channels, int taps) {
    int[] columns = new int[taps * channels];
    for (int i = 0; i < columns.length; i++) {
      columns[i] = i % channels * taps + i / channels;
    }
    return columns;
  }

  private static double[] widened(float[] values) {
    double[] wide = new double[values.length];
    for (int i = 0; i < wide.length; i++) {
      wide[i] = values[i];
    }
    return wide;
  }

  /** No weights to be learned: output o is input {@code inputs[o]}, or zero where that is -1. */
  public static Matrix selection(String name, int[] inputs, int in) {
    return new Matrix(name, inputs.length, in, (row, into) -> {
      Arrays.fill(into, 0);
      if (inputs[row] >= 0) {
        into[inputs[row]] = 1;
      }
    }, null);
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
    return new Matrix(name, out, in, (row, into) -> {
      rows.read(row, into);
      double factor = affine.scale()[row];
      for (int i = 0; i < in; i++) {
        into[i] *= factor;
      }
    }, () -> {
      double[] changed = wideBias();
      for (int o = 0; o < out; o++) {
        changed[o] = affine.scale()[o] * changed[o] + affine.shift()[o];
      }
      return changed;
    });
  }

  /** Folds a scale of the outputs in, such as a layer scale; null changes nothing. */
  public Matrix thenScale(float[] scale) {
    return scale == null ? this : then(new Affine(scale, new float[out]));
  }

  /**
   * Folds a map of the inputs in: {@code W (scale x + shift) + b}. Exact only where nothing is padded between the two.
   */
  public Matrix after(Affine affine) {
    int channels = affine.scale().length;
    return new Matrix(name, out, in, (row, into) -> {
      rows.read(row, into);
      for (int i = 0; i < in; i++) {
        into[i] *= affine.scale()[i % channels];
      }
    }, () -> {
      double[] changed = wideBias();
      double[] row = new double[in];
      for (int o = 0; o < out; o++) {
        rows.read(o, row);
        for (int i = 0; i < in; i++) {
          changed[o] += row[i] * affine.shift()[i % channels];
        }
      }
      return changed;
    });
  }

  /**
   * Of a depthwise convolution {@code [channels, taps]} that keeps its map's size: adds the operand to the output, by
   * one more at the centre tap.
   */
  public Matrix plusOperand() {
    return new Matrix(name, out, in, (row, into) -> {
      rows.read(row, into);
      into[in / 2] += 1;
    }, bias);
  }

  /** Output o becomes the present output {@code selected[o]}: a part, or another order. */
  public Matrix rows(int[] selected) {
    return new Matrix(name, selected.length, in, (row, into) -> rows.read(selected[row], into),
        bias == null ? null : () -> {
          double[] all = bias.get();
          return IntStream.of(selected).mapToDouble(row -> all[row]).toArray();
        });
  }

  /** Input i becomes the present input {@code selected[i]}. */
  public Matrix columns(int[] selected) {
    double[] all = new double[in];
    return new Matrix(name, out, selected.length, (row, into) -> {
      synchronized (all) {
        rows.read(row, all);
        for (int i = 0; i < selected.length; i++) {
          into[i] = all[selected[i]];
        }
      }
    }, bias);
  }

  /** The weights, {@code [out, in]} row-major. */
  public float[] weights() {
    float[] weights = new float[out * in];
    write(FloatBuffer.wrap(weights));
    return weights;
  }

  private void write(FloatBuffer into) {
    double[] row = new double[in];
    float[] rounded = new float[in];
    for (int o = 0; o < out; o++) {
      rows.read(o, row);
      into.put(rounded(row, rounded));
    }
  }

  private static float[] rounded(double[] values, float[] into) {
    for (int i = 0; i < into.length; i++) {
      into[i] = (float) values[i];
    }
    return into;
  }

  private double[] wideBias() {
    return bias == null ? new double[out] : bias.get();
  }

  public Linear pack(Backend backend) {
    return Linear.of(backend.packMatrix(parameter()), packBias(backend));
  }

  /** Packs a 3 x 3 convolution of stride 1. */
  public Convolution packConvolution(Backend backend, Activation activation) {
    return new Convolution(backend.packConvolution(parameter()), packBias(backend), activation);
  }

  Weights packBias(Backend backend) {
    return bias == null ? null : backend.packValues(Shape.of(out), () -> rounded(bias.get(), new float[out]));
  }

  private Parameter parameter() {
    return unchanged != null ? unchanged : Parameter.computed(name, Shape.of(out, in), this::write);
  }
}
