package io.vertebra;

import io.vertebra.tensor.Require;
import io.vertebra.tensor.Shape;

/**
 * A stage's output for dense tasks.
 *
 * @param batch images; of clips all their frames, one after another
 * @param stride input pixels per position, in both directions
 * @param values {@code [batch, height, width, channels]}, row-major
 */
public record FeatureMap(String name, int stride, int batch, int height, int width, int channels, float[] values) {
  /** @throws IllegalArgumentException if the values do not make such a map */
  public FeatureMap {
    Require.nonNull(name, "name");
    Require.nonNull(values, "values");
    if (values.length != Shape.of(batch, height, width, channels).elements()) {
      throw new IllegalArgumentException(
          values.length + " values do not make a map of " + Shape.of(batch, height, width, channels));
    }
  }

  /** The values as {@code [batch, channels, height, width]}. */
  public float[] channelsFirst() {
    float[] transposed = new float[values.length];
    int area = height * width;
    for (int i = 0; i < values.length; i++) {
      int position = i / channels;
      transposed[(position / area * channels + i % channels) * area + position % area] = values[i];
    }
    return transposed;
  }
}
