package io.vertebra.reference;

import static io.vertebra.reference.ReferenceBackend.values;

import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.GlobalFilter;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.Window;
import io.vertebra.program.op.WindowPool;
import io.vertebra.tensor.Shape;
import java.util.Arrays;

/** Plain loops for the operations on maps, {@code [batch, (time,) height, width, channels]}. */
final class ReferenceMaps {
  private ReferenceMaps() {}

  static double[] depthwiseConv(DepthwiseConv op, Shape shape, double[] in, Shape outShape, double[] out) {
    float[] weights = values(op.weights());
    int channels = outShape.channels();
    slide(op.window(), shape, outShape, (position, tap, source) -> {
      for (int c = 0; c < channels; c++) {
        out[position * channels + c]
            += weights[tap * channels + c] * in[source * shape.channels() + op.firstChannel() + c / op.multiplier()];
      }
    });
    for (int i = 0; i < out.length; i++) {
      out[i] = Functions.apply(op.activation(), out[i] + (op.bias() == null ? 0 : values(op.bias())[i % channels]));
    }
    return out;
  }

  static double[] pool(WindowPool op, Shape shape, double[] in, Shape outShape, double[] out) {
    int channels = shape.channels();
    boolean max = op.kind() == WindowPool.Kind.MAX;
    int[] counts = new int[outShape.rows()];
    if (max) {
      Arrays.fill(out, Double.NEGATIVE_INFINITY);
    }
    slide(op.window(), shape, outShape, (position, tap, source) -> {
      counts[position]++;
      for (int c = 0; c < channels; c++) {
        double value = in[source * channels + c];
        int at = position * channels + c;
        out[at] = max ? Math.max(out[at], value) : out[at] + value;
      }
    });
    for (int i = 0; !max && i < out.length; i++) {
      out[i] /= counts[i / channels];
    }
    return out;
  }

  private interface Tap {
    void accept(int position, int tap, int source);
  }

  private static void slide(Window window, Shape shape, Shape outShape, Tap visitor) {
    RowMap rows = window.rows(shape);
    for (int i = 0; i < outShape.rows() * window.taps(); i++) {
      if (rows.row(i) >= 0) {
        visitor.accept(i / window.taps(), i % window.taps(), rows.row(i));
      }
    }
  }

  static double[] adaptiveAveragePool(Shape shape, double[] in, Shape outShape, double[] out) {
    int height = shape.dim(1);
    int width = shape.dim(2);
    int rows = outShape.dim(1);
    int columns = outShape.dim(2);
    int channels = shape.channels();
    for (int i = 0; i < out.length; i++) {
      int c = i % channels;
      int column = i / channels % columns;
      int row = i / channels / columns % rows;
      int image = i / channels / columns / rows;
      int top = row * height / rows;
      int bottom = ((row + 1) * height + rows - 1) / rows;
      int left = column * width / columns;
      int right = ((column + 1) * width + columns - 1) / columns;
      for (int y = top; y < bottom; y++) {
        for (int x = left; x < right; x++) {
          out[i] += in[((image * height + y) * width + x) * channels + c] / ((bottom - top) * (right - left));
        }
      }
    }
    return out;
  }

  static double[] bilinear(Shape shape, double[] in, Shape outShape, double[] out) {
    int height = shape.dim(1);
    int width = shape.dim(2);
    int channels = shape.channels();
    for (int i = 0; i < out.length; i++) {
      int c = i % channels;
      int x = i / channels % outShape.dim(2);
      int y = i / channels / outShape.dim(2) % outShape.dim(1);
      int image = i / channels / outShape.dim(2) / outShape.dim(1) * height;
      double row = Math.max(0, (y + 0.5) * height / outShape.dim(1) - 0.5);
      double column = Math.max(0, (x + 0.5) * width / outShape.dim(2) - 0.5);
      int top = (int) row;
      int left = (int) column;
      int bottom = Math.min(top + 1, height - 1);
      int right = Math.min(left + 1, width - 1);
      double down = row - top;
      double across = column - left;
      double upper = at(in, image + top, left, width, channels, c) * (1 - across)
          + at(in, image + top, right, width, channels, c) * across;
      double lower = at(in, image + bottom, left, width, channels, c) * (1 - across)
          + at(in, image + bottom, right, width, channels, c) * across;
      out[i] = upper * (1 - down) + lower * down;
    }
    return out;
  }

  private static double at(double[] map, int row, int column, int width, int channels, int channel) {
    return map[(row * width + column) * channels + channel];
  }

  /**
   * By the definition of the discrete Fourier transform, one channel at a time: as a row transform, then a column
   * transform, and back.
   */
  static double[] globalFilter(GlobalFilter op, Shape shape, double[] in, double[] out) {
    int height = shape.dim(1);
    int width = shape.dim(2);
    int half = width / 2 + 1;
    int channels = op.filter().shape().dim(2);
    float[] filter = values(op.filter());
    for (int image = 0; image < shape.dim(0); image++) {
      for (int c = 0; c < channels; c++) {
        double[] re = new double[height * half];
        double[] im = new double[height * half];
        for (int y = 0; y < height; y++) {
          for (int v = 0; v < half; v++) {
            for (int x = 0; x < width; x++) {
              double value = in[((image * height + y) * width + x) * shape.channels() + op.firstChannel() + c];
              double angle = -2 * Math.PI * ((long) v * x % width) / width;
              re[y * half + v] += value * Math.cos(angle);
              im[y * half + v] += value * Math.sin(angle);
            }
          }
        }
        columns(re, im, height, half, -1);
        for (int i = 0; i < re.length; i++) {
          double real = filter[(i * channels + c) * 2];
          double imaginary = filter[(i * channels + c) * 2 + 1];
          double product = re[i] * real - im[i] * imaginary;
          im[i] = re[i] * imaginary + im[i] * real;
          re[i] = product;
        }
        columns(re, im, height, half, 1);
        for (int y = 0; y < height; y++) {
          for (int x = 0; x < width; x++) {
            double sum = 0;
            for (int v = 0; v < half; v++) {
              double angle = 2 * Math.PI * ((long) v * x % width) / width;
              boolean once = v == 0 || 2 * v == width;
              sum += (once ? 1 : 2) * (re[y * half + v] * Math.cos(angle) - im[y * half + v] * Math.sin(angle));
            }
            out[((image * height + y) * width + x) * channels + c] = sum / (height * width);
          }
        }
      }
    }
    return out;
  }

  private static void columns(double[] re, double[] im, int height, int half, int sign) {
    for (int v = 0; v < half; v++) {
      double[] real = new double[height];
      double[] imaginary = new double[height];
      for (int u = 0; u < height; u++) {
        for (int y = 0; y < height; y++) {
          double angle = sign * 2 * Math.PI * ((long) u * y % height) / height;
          double cos = Math.cos(angle);
          double sin = Math.sin(angle);
          real[u] += re[y * half + v] * cos - im[y * half + v] * sin;
          imaginary[u] += re[y * half + v] * sin + im[y * half + v] * cos;
        }
      }
      for (int u = 0; u < height; u++) {
        re[u * half + v] = real[u];
        im[u * half + v] = imaginary[u];
      }
    }
  }
}
