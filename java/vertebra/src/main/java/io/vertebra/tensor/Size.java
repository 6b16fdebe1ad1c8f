package io.vertebra.tensor;

/** Rows and columns of a map, a window, an image. */
public record Size(int rows, int columns) {
  public static Size square(int side) {
    return new Size(side, side);
  }

  public int area() {
    return rows * columns;
  }
}
