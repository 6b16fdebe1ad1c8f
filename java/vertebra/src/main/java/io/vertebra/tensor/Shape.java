package io.vertebra.tensor;

import java.util.Arrays;

/** Dimensions of an array, outermost first; every one at least 1. Immutable. */
public final class Shape {
  private final int[] dims;

  private Shape(int[] dims) {
    this.dims = dims;
  }

  /**
   * @throws IllegalArgumentException for no dimensions, one below 1, or more elements than a {@code long} can count
   *   bytes of
   */
  public static Shape of(int... dims) {
    if (Require.nonNull(dims, "dims").length == 0) {
      throw new IllegalArgumentException("a shape needs a dimension");
    }
    long elements = 1;
    for (int dim : dims) {
      if (dim < 1) {
        throw new IllegalArgumentException("a dimension must be at least 1: " + Arrays.toString(dims));
      }
      if (elements > (Long.MAX_VALUE >> 4) / dim) {
        throw new IllegalArgumentException("shape is too large: " + Arrays.toString(dims));
      }
      elements *= dim;
    }
    return new Shape(dims.clone());
  }

  public int rank() {
    return dims.length;
  }

  /**
   * Size of an axis; negative axes count from the end.
   *
   * @throws IllegalArgumentException if there is no such axis
   */
  public int dim(int axis) {
    int index = axis < 0 ? dims.length + axis : axis;
    if (index < 0 || index >= dims.length) {
      throw new IllegalArgumentException("shape " + this + " has no axis " + axis);
    }
    return dims[index];
  }

  /** Size of the innermost axis. */
  public int channels() {
    return dims[dims.length - 1];
  }

  /**
   * Product of all axes but the innermost.
   *
   * @throws IllegalArgumentException if that is over 2^31 - 1
   */
  public int rows() {
    long rows = elements() / channels();
    if (rows > Integer.MAX_VALUE) {
      throw new IllegalArgumentException("shape " + this + " has more than 2^31 - 1 rows");
    }
    return (int) rows;
  }

  /** Rows of one element of the outermost axis. */
  public int positions() {
    return rows() / dims[0];
  }

  /** Frames of a map {@code [batch, (time,) height, width, channels]}; 1 if it has no time. */
  public int time() {
    return dims.length == 5 ? dims[1] : 1;
  }

  public long elements() {
    long elements = 1;
    for (int dim : dims) {
      elements *= dim;
    }
    return elements;
  }

  /** The same shape with another innermost axis. */
  public Shape withChannels(int channels) {
    int[] changed = dims.clone();
    changed[changed.length - 1] = channels;
    return of(changed);
  }

  public int[] toArray() {
    return dims.clone();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Shape shape && Arrays.equals(dims, shape.dims);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(dims);
  }

  /** {@code [1, 56, 56, 96]}. */
  @Override
  public String toString() {
    return Arrays.toString(dims);
  }
}
