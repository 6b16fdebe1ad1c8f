package io.vertebra.cpu;

import io.vertebra.tensor.Shape;
import io.vertebra.weights.Parameter;
import java.nio.FloatBuffer;
import java.util.Arrays;

/** The transformed taps of Winograd's F(2x2, 3x3) and F(4x4, 3x3), as {@code vtb_winograd_conv_args} defines them. */
final class Winograd {
  private static final int TAPS = 9;
  /**
   * Of more channels, on the small maps that have so many, reading the larger weights from memory costs more than the
   * fewer multiplications save.
   */
  private static final long LARGEST_OF_TILE_4 = 128 * 128;
  private static final double[][] KRONECKER_2 = kronecker(0, 1, -1);
  private static final double[][] KRONECKER_4 = kronecker(0, 5 / 8.0, -5 / 8.0, 3 / 2.0, -3 / 2.0);

  private Winograd() {}

  /** Outputs along each side of a tile, for a convolution of {@code in} to {@code out} channels: 2 or 4. */
  static int tile(int in, int out) {
    return (long) in * out <= LARGEST_OF_TILE_4 ? 4 : 2;
  }

  /** {@code [out, 9 * in]} to {@code [out, (tile + 2)^2 * in]}: for every output and input channel G g G^T. */
  static Parameter transformed(Parameter matrix) {
    int out = matrix.shape().dim(0);
    int in = matrix.shape().dim(1) / TAPS;
    double[][] kronecker = tile(in, out) == 4 ? KRONECKER_4 : KRONECKER_2;
    return Parameter.computed(matrix.name(), Shape.of(out, kronecker.length * in), into -> {
      FloatBuffer taps = matrix.floats();
      double[] row = new double[in];
      float[] rounded = new float[in];
      for (int o = 0; o < out; o++) {
        for (double[] factors : kronecker) {
          Arrays.fill(row, 0);
          for (int t = 0; t < TAPS; t++) {
            double factor = factors[t];
            int from = (o * TAPS + t) * in;
            for (int i = 0; i < in && factor != 0; i++) {
              row[i] += factor * taps.get(from + i);
            }
          }
          for (int i = 0; i < in; i++) {
            rounded[i] = (float) row[i];
          }
          into.put(rounded);
        }
      }
    });
  }

  /** Position of G g G^T by tap of g, G having a row for each of these points and for infinity. */
  private static double[][] kronecker(double... points) {
    int side = points.length + 1;
    double[][] g = new double[side][];
    g[side - 1] = new double[] {0, 0, 1};
    for (int i = 0; i < points.length; i++) {
      double x = points[i];
      double divisor = Arrays.stream(points).filter(z -> z != x).reduce(1, (product, z) -> product * (x - z));
      g[i] = new double[] {1 / divisor, x / divisor, x * x / divisor};
    }
    double[][] kronecker = new double[side * side][TAPS];
    for (int p = 0; p < side * side; p++) {
      for (int t = 0; t < TAPS; t++) {
        kronecker[p][t] = g[p / side][t / 3] * g[p % side][t % 3];
      }
    }
    return kronecker;
  }
}
