package io.vertebra.cpu;

import io.vertebra.program.Shape;
import io.vertebra.weights.Parameter;
import java.nio.FloatBuffer;
import java.util.Arrays;

/** The transformed taps of Winograd's F(2x2, 3x3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv 1509.09308). */
final class Winograd {
  private static final int TAPS = 9;
  private static final int POSITIONS = 16;
  private static final double[][] G = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
  /** Position of G g G^T by tap of g. */
  private static final double[][] KRONECKER = new double[POSITIONS][TAPS];

  static {
    for (int p = 0; p < POSITIONS; p++) {
      for (int t = 0; t < TAPS; t++) {
        KRONECKER[p][t] = G[p / 4][t / 3] * G[p % 4][t % 3];
      }
    }
  }

  private Winograd() {}

  /** {@code [out, 9 * in]} to {@code [out, 16 * in]}: for every output and input channel G g G^T. */
  static Parameter transformed(Parameter matrix) {
    int out = matrix.shape().dim(0);
    int in = matrix.shape().dim(1) / TAPS;
    return Parameter.computed(matrix.name(), Shape.of(out, POSITIONS * in), into -> {
      FloatBuffer taps = matrix.floats();
      double[] row = new double[in];
      float[] rounded = new float[in];
      for (int o = 0; o < out; o++) {
        for (int p = 0; p < POSITIONS; p++) {
          Arrays.fill(row, 0);
          for (int t = 0; t < TAPS; t++) {
            double factor = KRONECKER[p][t];
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
}
