package io.vertebra.bench.measure;

import io.vertebra.tensor.Shape;

/** The two orders in which libraries take images. */
public final class ChannelOrder {
  private ChannelOrder() {}

  /**
   * Images {@code [batch, height, width, channels]}.
   *
   * @param images of {@code shape}, {@code [batch, channels, height, width]}
   */
  public static float[] channelsLast(float[] images, Shape shape) {
    int channels = shape.dim(1);
    int area = shape.dim(2) * shape.dim(3);
    float[] values = new float[images.length];
    for (int i = 0; i < values.length; i++) {
      int pixel = i / channels;
      values[i] = images[(pixel / area * channels + i % channels) * area + pixel % area];
    }
    return values;
  }
}
