package io.vertebra.reference;

import io.vertebra.backend.Preprocessor;
import io.vertebra.backend.Program;
import io.vertebra.image.Image;
import io.vertebra.image.Pixels;
import io.vertebra.image.Preprocessing;
import io.vertebra.image.Resampling;
import io.vertebra.program.Recording;

/** Preprocessing in plain Java, on any platform: the oracle of the native one, to which it is equal bit for bit. */
public final class ReferencePreprocessor implements Preprocessor {
  private final Preprocessing recipe;
  private final float[] normalised;

  public ReferencePreprocessor(Preprocessing recipe) {
    this.recipe = recipe;
    this.normalised = recipe.normalisedSamples();
  }

  @Override
  public Preprocessing recipe() {
    return recipe;
  }

  @Override
  public Program compile(Recording recording) {
    return new ReferenceProgram(recording, this);
  }

  /** The image as {@code [height, width, 3]}. */
  public float[] apply(Image image) {
    byte[] samples = samples(image);
    float[] values = new float[samples.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = normalised[i % 3 * 256 + (samples[i] & 0xff)];
    }
    return values;
  }

  /** The crop before it is normalised, {@code [height, width, 3]}. */
  private byte[] samples(Image image) {
    Preprocessing.Layout layout = recipe.layout(image.width(), image.height());
    Resampling columns = recipe.columns(image.width(), layout);
    Resampling rows = recipe.rows(image.height(), layout);
    Pixels pixels = image.pixels();
    int width = columns.count();
    byte[][] filtered = new byte[image.height()][];
    byte[] out = new byte[recipe.elements()];
    for (int y = 0; y < rows.count(); y++) {
      int[] sums = new int[width * 3];
      for (int t = 0; t < rows.taps(); t++) {
        int weight = rows.weight(y, t);
        if (weight != 0) {
          int row = rows.first(y) + t;
          if (filtered[row] == null) {
            filtered[row] = filterRow(pixels, row, columns);
          }
          for (int i = 0; i < sums.length; i++) {
            sums[i] += weight * (filtered[row][i] & 0xff);
          }
        }
      }
      for (int i = 0; i < sums.length; i++) {
        out[y * sums.length + i] = Resampling.rounded(sums[i]);
      }
    }
    return out;
  }

  private static byte[] filterRow(Pixels pixels, int y, Resampling columns) {
    byte[] row = new byte[columns.count() * 3];
    for (int i = 0; i < row.length; i++) {
      int sum = 0;
      for (int t = 0; t < columns.taps(); t++) {
        int weight = columns.weight(i / 3, t);
        if (weight != 0) {
          sum += weight * pixels.sample(columns.first(i / 3) + t, y, i % 3);
        }
      }
      row[i] = Resampling.rounded(sum);
    }
    return row;
  }

  @Override
  public void close() {
    // Holds no native memory.
  }
}
