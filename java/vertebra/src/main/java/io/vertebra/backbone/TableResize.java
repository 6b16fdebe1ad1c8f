package io.vertebra.backbone;

import io.vertebra.tensor.Shape;

/**
 * Resizing of learned position tables, {@code [height, width, channels]}, as the published loaders do it. Double
 * precision inside.
 */
public final class TableResize {
  private static final double CUBIC = -0.75;

  private TableResize() {}

  /**
   * A learned table, row-major.
   *
   * @throws IllegalArgumentException if the values do not make such a table
   */
  public record Table(int height, int width, int channels, float[] values) {
    public Table {
      if (values.length != Shape.of(height, width, channels).elements()) {
        throw new IllegalArgumentException(
            values.length + " values do not make a table of " + Shape.of(height, width, channels));
      }
    }
  }

  /**
   * Taps of an interpolation along one axis: output {@code i} is the sum of {@code weight[i][t] * source[index[i][t]]}.
   */
  private record Axis(int[][] index, double[][] weight) {}

  /** Bicubic, a = -0.75, half-pixel centres, no antialiasing, border clamped: PyTorch's {@code interpolate}. */
  public static Table bicubic(Table table, int height, int width) {
    return resize(table, bicubicAxis(table.height(), height), bicubicAxis(table.width(), width));
  }

  /**
   * Linear between positions that lie denser near the centre: timm's {@code resize_rel_pos_bias_table}.
   *
   * @throws IllegalArgumentException if the table has no central row or column, as tables of relative positions have
   */
  public static Table geometric(Table table, int height, int width) {
    if (table.height() == height && table.width() == width) {
      return table;
    }
    if (table.height() % 2 == 0 || table.width() % 2 == 0) {
      throw new IllegalArgumentException(
          "a table of relative positions has odd sides, not " + table.height() + "x" + table.width());
    }
    return resize(table, geometricAxis(table.height(), height), geometricAxis(table.width(), width));
  }

  /** Bilinear, the corners staying corners: PyTorch's {@code interpolate} with {@code align_corners}. */
  public static Table alignedBilinear(Table table, int height, int width) {
    if (table.height() == height && table.width() == width) {
      return table;
    }
    return resize(table, alignedAxis(table.height(), height), alignedAxis(table.width(), width));
  }

  private static Table resize(Table table, Axis rows, Axis columns) {
    int height = rows.index().length;
    int width = columns.index().length;
    int channels = table.channels();
    float[] resized = new float[Math.toIntExact(Shape.of(height, width, channels).elements())];
    for (int i = 0; i < resized.length; i++) {
      int row = i / channels / width;
      int column = i / channels % width;
      double sum = 0;
      for (int r = 0; r < rows.index()[row].length; r++) {
        for (int c = 0; c < columns.index()[column].length; c++) {
          int source = rows.index()[row][r] * table.width() + columns.index()[column][c];
          sum += rows.weight()[row][r] * columns.weight()[column][c] * table.values()[source * channels + i % channels];
        }
      }
      resized[i] = (float) sum;
    }
    return new Table(height, width, channels, resized);
  }

  private static Axis bicubicAxis(int from, int to) {
    int[][] index = new int[to][4];
    double[][] weight = new double[to][4];
    for (int i = 0; i < to; i++) {
      double centre = (i + 0.5) * from / to - 0.5;
      int first = (int) Math.floor(centre) - 1;
      for (int t = 0; t < 4; t++) {
        index[i][t] = Math.max(0, Math.min(from - 1, first + t));
        weight[i][t] = cubic(Math.abs(centre - (first + t)));
      }
    }
    return new Axis(index, weight);
  }

  private static double cubic(double x) {
    if (x <= 1) {
      return ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1;
    }
    return x < 2 ? ((CUBIC * x - 5 * CUBIC) * x + 8 * CUBIC) * x - 4 * CUBIC : 0;
  }

  private static Axis alignedAxis(int from, int to) {
    int[][] index = new int[to][];
    double[][] weight = new double[to][];
    for (int i = 0; i < to; i++) {
      double source = to == 1 ? 0 : (double) i * (from - 1) / (to - 1);
      int first = (int) source;
      index[i] = new int[] {first, Math.min(first + 1, from - 1)};
      weight[i] = new double[] {1 - (source - first), source - first};
    }
    return new Axis(index, weight);
  }

  private static Axis geometricAxis(int from, int to) {
    double ratio = geometricRatio(from / 2, to / 2);
    double[] positions = new double[from / 2 * 2 + 1];
    int centre = from / 2;
    for (int k = 1; k <= centre; k++) {
      positions[centre + k] = positions[centre + k - 1] + Math.pow(ratio, k - 1);
      positions[centre - k] = -positions[centre + k];
    }
    int[][] index = new int[to][2];
    double[][] weight = new double[to][2];
    for (int i = 0; i < to; i++) {
      double target = i - to / 2;
      int right = 0;
      while (right < positions.length && positions[right] < target) {
        right++;
      }
      int left = Math.max(0, right - 1);
      right = Math.min(right, positions.length - 1);
      double share = left == right ? 0 : (target - positions[left]) / (positions[right] - positions[left]);
      index[i] = new int[] {left, right};
      weight[i] = new double[] {1 - share, share};
    }
    return new Axis(index, weight);
  }

  /**
   * The ratio of the geometric series of {@code terms} steps that reaches {@code reach}, bisected as the reference
   * does.
   */
  private static double geometricRatio(int terms, int reach) {
    double low = 1.01;
    double high = 1.5;
    double ratio = low;
    while (high - low > 1e-6) {
      ratio = (low + high) / 2;
      if ((1 - Math.pow(ratio, terms)) / (1 - ratio) > reach) {
        high = ratio;
      } else {
        low = ratio;
      }
    }
    return ratio;
  }
}
