package io.vertebra.backbone.coatnet;

import io.vertebra.backbone.TableResize;
import io.vertebra.backbone.TableResize.Table;
import io.vertebra.tensor.Size;
import io.vertebra.weights.Parameters;

/** An attention bias that depends on the offset between two positions of a map. */
interface RelativeBias {
  /** The bias of every offset on a map, {@code [2 rows - 1, 2 columns - 1, heads]}. */
  Table table(Size map);

  /** A learned table for maps of one size, resized for others as timm's loader does. */
  record Learned(Table trained) implements RelativeBias {
    static Learned load(Parameters parameters, String name, Size map, int heads) {
      int rows = 2 * map.rows() - 1;
      int columns = 2 * map.columns() - 1;
      return new Learned(new Table(rows, columns, heads,
          parameters.values(name + ".relative_position_bias_table", rows * columns, heads)));
    }

    @Override
    public Table table(Size map) {
      return TableResize.geometric(trained, 2 * map.rows() - 1, 2 * map.columns() - 1);
    }
  }

  /**
   * A small network over the logarithms of the offsets, which serves maps of any size (Liu et al., "Swin Transformer
   * V2", arXiv 2111.09883, section 3.3).
   *
   * @param weights1 {@code [hidden, 2]}
   * @param weights2 {@code [heads, hidden]}
   */
  record Computed(float[] weights1, float[] bias1, float[] weights2, float[] bias2) implements RelativeBias {
    static Computed load(Parameters parameters, String name, int hidden, int heads) {
      return new Computed(parameters.values(name + ".mlp.fc1.weight", hidden, 2),
          parameters.values(name + ".mlp.fc1.bias", hidden), parameters.values(name + ".mlp.fc2.weight", heads, hidden),
          parameters.values(name + ".mlp.fc2.bias", heads));
    }

    @Override
    public Table table(Size map) {
      int height = 2 * map.rows() - 1;
      int width = 2 * map.columns() - 1;
      int heads = bias2.length;
      int hidden = bias1.length;
      float[] values = new float[height * width * heads];
      double[] neurons = new double[hidden];
      for (int offset = 0; offset < height * width; offset++) {
        double row = logarithm(offset / width - map.rows() + 1);
        double column = logarithm(offset % width - map.columns() + 1);
        for (int k = 0; k < hidden; k++) {
          neurons[k] = Math.max(0, weights1[2 * k] * row + weights1[2 * k + 1] * column + bias1[k]);
        }
        for (int head = 0; head < heads; head++) {
          double sum = bias2[head];
          for (int k = 0; k < hidden; k++) {
            sum += weights2[head * hidden + k] * neurons[k];
          }
          values[offset * heads + head] = (float) sum;
        }
      }
      return new Table(height, width, heads, values);
    }

    private static double logarithm(int distance) {
      return Math.copySign(Math.log1p(Math.abs(distance)), distance);
    }
  }
}
