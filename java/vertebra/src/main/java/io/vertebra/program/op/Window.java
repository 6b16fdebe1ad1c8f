package io.vertebra.program.op;

import io.vertebra.tensor.Require;
import io.vertebra.tensor.Shape;
import java.nio.IntBuffer;

/**
 * A window that slides over a map in steps, in time, height and width. A map without time is one of a single frame.
 *
 * @param size taps along each axis
 * @param stride steps along each axis
 * @param padding positions added before and after each axis
 */
public record Window(Extent size, Extent stride, Extent padding) {
  public Window {
    boolean slides = Require.nonNull(size, "size").isAtLeast(1) && Require.nonNull(stride, "stride").isAtLeast(1)
        && Require.nonNull(padding, "padding").isAtLeast(0);
    if (!slides || size.product() > Integer.MAX_VALUE) {
      throw new IllegalArgumentException("a window of " + size + " in steps of " + stride + " with padding " + padding
          + ": sizes and steps must be at least 1, padding not negative, and taps at most 2^31 - 1");
    }
  }

  /** A number for each axis. */
  public record Extent(int time, int height, int width) {
    boolean isAtLeast(int least) {
      return time >= least && height >= least && width >= least;
    }

    /** Saturated: enough to compare with. */
    long product() {
      long plane = (long) height * width;
      return plane > Integer.MAX_VALUE ? plane : plane * time;
    }

    public static Extent square(int side) {
      return new Extent(1, side, side);
    }

    public static Extent cube(int side) {
      return new Extent(side, side, side);
    }
  }

  /** {@code size x size} in steps of {@code stride}. */
  public static Window square(int size, int stride, int padding) {
    return new Window(Extent.square(size), Extent.square(stride), new Extent(0, padding, padding));
  }

  public int taps() {
    return (int) size.product();
  }

  /**
   * The map of outputs for a map {@code [batch, (time,) height, width, channels]}; sizes round down.
   *
   * @throws IllegalArgumentException if the window does not slide over such a map, or is larger than the padded map
   */
  public Shape slide(Shape in, int channels) {
    boolean clip = in.rank() == 5;
    Fit.require(clip || in.rank() == 4 && size.time() == 1 && stride.time() == 1 && padding.time() == 0, "window", in);
    int width = steps(in, in.dim(-2), size.width(), stride.width(), padding.width());
    int height = steps(in, in.dim(-3), size.height(), stride.height(), padding.height());
    return clip
        ? Shape.of(in.dim(0), steps(in, in.dim(1), size.time(), stride.time(), padding.time()), height, width, channels)
        : Shape.of(in.dim(0), height, width, channels);
  }

  private static int steps(Shape in, int length, int taps, int step, int pad) {
    long padded = length + 2L * pad;
    Fit.require(padded <= Integer.MAX_VALUE, "padding of " + pad, in);
    Fit.require(padded >= taps, "window larger than the padded map", in);
    return ((int) padded - taps) / step + 1;
  }

  /**
   * The rows a convolution reads for every output position, tap by tap: the operand of a matrix product over taps x
   * channels. Padding is -1.
   *
   * @param in {@code [batch, (time,) height, width, channels]}
   */
  public RowMap rows(Shape in) {
    return new RowMap((long) slide(in, 1).rows() * taps(), taps(), in.rows(), entries -> put(in, entries));
  }

  private void put(Shape in, IntBuffer entries) {
    Shape out = slide(in, 1);
    int positions = out.rows();
    int times = in.time();
    int outTimes = out.time();
    int height = in.dim(-3);
    int width = in.dim(-2);
    int outHeight = out.dim(-3);
    int outWidth = out.dim(-2);
    for (int position = 0; position < positions; position++) {
      int frame = position / outWidth / outHeight;
      int firstTime = frame % outTimes * stride.time() - padding.time();
      int firstY = position / outWidth % outHeight * stride.height() - padding.height();
      int firstX = position % outWidth * stride.width() - padding.width();
      for (int t = firstTime; t < firstTime + size.time(); t++) {
        for (int y = firstY; y < firstY + size.height(); y++) {
          boolean inside = t >= 0 && t < times && y >= 0 && y < height;
          int line = ((frame / outTimes * times + t) * height + y) * width;
          for (int x = firstX; x < firstX + size.width(); x++) {
            entries.put(inside && x >= 0 && x < width ? line + x : -1);
          }
        }
      }
    }
  }
}
