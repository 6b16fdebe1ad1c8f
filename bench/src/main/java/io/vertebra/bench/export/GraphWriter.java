package io.vertebra.bench.export;

import io.vertebra.program.op.Activation;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Window;
import io.vertebra.program.op.WindowPool;
import java.io.Closeable;

/**
 * A file format for computation graphs, and how it says the few operations a backbone needs. Methods that compute take
 * and give names of values, fp32, row-major; weights and sizes are fixed. Rows are values {@code [batch, positions,
 * channels]}, maps {@code [batch, channels, (time,) height, width]}. {@link #close} completes the file. Not
 * thread-safe.
 */
interface GraphWriter extends Closeable {
  /** Name of the input, maps. */
  String input();

  /** A constant. */
  String constant(float[] values, int... shape);

  /**
   * A convolution of maps, zero padding.
   *
   * @param kernel {@code [out, in / groups, (time,) height, width]}
   * @param bias {@code [out]}, or null
   */
  String conv(String in, float[] kernel, int[] shape, String bias, Window window, int groups);

  /**
   * {@code in . weights^T + bias} over the last axis; {@code weights} is {@code [out, in]}, {@code bias} may be null.
   */
  String linear(String in, float[] weights, int outs, int ins, String bias);

  /** Matrix product over the last two axes, the others broadcast. */
  String product(String a, String b);

  /** LayerNorm over the last axis, of {@code width}. */
  String layerNorm(String in, String gamma, String beta, float eps, int width);

  /** @param function not the identity */
  String activate(String in, Activation function);

  /** Broadcast, as all elementwise operations. */
  String add(String a, String b);

  String multiply(String a, String b);

  String reshape(String in, int... shape);

  String permute(String in, int... axes);

  /** Elements {@code [from, to)} of an axis. */
  String slice(String in, int axis, int from, int to);

  String concatenate(int axis, String... parts);

  /** Rolls axes 1 and 2: element {@code (i, j)} comes from {@code (i + rows, j + columns)}, cyclically. */
  String roll(String in, int rows, int columns);

  /**
   * Elements {@code rows} of axis 0 of a value of two axes; {@code padded}: one past the last stands for zeros, {@code
   * width} of them.
   */
  String gather(String in, int[] rows, boolean padded, int width);

  /** Pools maps over {@code axes} axes; padding is left out. */
  String pool(String in, WindowPool.Kind kind, Window window, int axes);

  /** Maps with every position repeated {@code size x size} times. */
  String repeat(String in, int size, int height, int width);

  /** Maps resized bilinearly, half-pixel centres. */
  String bilinear(String in, int height, int width);

  /** {@code irfft2(rfft2(in) * filter)} of maps {@code [batch, channels, height, width]}. */
  String globalFilter(String in, FilterSizes sizes, float[] filter);

  /**
   * {@code softmax(scale * q . k^T + bias) . v} in each window: {@code [windows * tokens, 3 * heads * headDim]} to
   * {@code [windows * tokens, heads * headDim]}.
   *
   * @param bias {@code [period, heads, tokens, tokens]}: window {@code w} takes {@code w % period}; null for none
   */
  String attention(String in, AttentionSizes sizes, float[] bias);

  /** Mean over these axes, which vanish. */
  String mean(String in, int... axes);

  /** Over the last axis. */
  String softmax(String in);

  /** @param shape of the value */
  void output(String name, String value, int... shape);

  /** Sizes of a windowed attention. */
  record AttentionSizes(int windows, int period, int tokens, int heads, int headDim, float scale) {}

  /** Sizes of a global filter: {@code [height, width / 2 + 1, channels, 2]}. */
  record FilterSizes(int batch, int channels, int height, int width) {
    /** Frequencies of a row. */
    int columns() {
      return width / 2 + 1;
    }
  }

  /** One axis of maps after the other: the last {@code axes} of time, height and width. */
  static int[] extents(Window.Extent extent, int axes) {
    return axes == 2 ? new int[] {extent.height(), extent.width()}
        : new int[] {extent.time(), extent.height(), extent.width()};
  }
}
