package io.vertebra.bench.export;

import java.io.Closeable;
import java.io.IOException;

/**
 * A file format for computation graphs, and how it says the few operations a backbone needs. Methods that compute take
 * and give names of values, fp32, row-major; weights and sizes are fixed. {@link #close} completes the file. Not
 * thread-safe.
 */
interface GraphWriter extends Closeable {
  /** Name of the input, {@code [batch, channels, height, width]}. */
  String input();

  /** A constant. */
  String constant(float[] values, int... shape) throws IOException;

  /**
   * Non-overlapping convolution: kernel {@code [out, in, size, size]}, stride {@code size}. {@code bias} may be null.
   */
  String patches(String in, String kernel, String bias, int size) throws IOException;

  /**
   * {@code in . weights^T + bias} over the last axis; {@code weights} is {@code [out, in]}, {@code bias} may be null.
   */
  String linear(String in, float[] weights, int outs, int ins, String bias) throws IOException;

  /** LayerNorm over the last axis, of {@code width}. */
  String layerNorm(String in, String gamma, String beta, float eps, int width) throws IOException;

  /** The exact form. */
  String gelu(String in) throws IOException;

  String add(String a, String b) throws IOException;

  String reshape(String in, int... shape) throws IOException;

  String permute(String in, int... axes) throws IOException;

  /** Rolls axes 1 and 2: element {@code (i, j)} comes from {@code (i + rows, j + columns)}, cyclically. */
  String roll(String in, int rows, int columns) throws IOException;

  /**
   * Elements {@code rows} of axis 0 of a value of two axes; {@code padded}: one past the last stands for zeros, {@code
   * width} of them.
   */
  String gather(String in, int[] rows, boolean padded, int width) throws IOException;

  /**
   * {@code softmax(scale * q . k^T + bias) . v} in each window: {@code [windows * tokens, 3 * heads * headDim]} to
   * {@code [windows * tokens, heads * headDim]}.
   *
   * @param bias {@code [period, heads, tokens, tokens]}: window {@code w} takes {@code w % period}; null for none
   */
  String attention(String in, AttentionSizes sizes, float[] bias) throws IOException;

  /** Mean over axis 1 of three. */
  String meanTokens(String in) throws IOException;

  /** Over the last axis. */
  String softmax(String in) throws IOException;

  /** @param shape of the value */
  void output(String name, String value, int... shape) throws IOException;

  /** Sizes of a windowed attention. */
  record AttentionSizes(int windows, int period, int tokens, int heads, int headDim, float scale) {}
}
