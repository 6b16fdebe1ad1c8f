package io.vertebra;

import io.vertebra.tensor.Require;
import io.vertebra.tensor.Shape;
import java.nio.FloatBuffer;

/**
 * A batch as callers have it: {@code [batch, channels, (frames,) height, width]}, normalised, row-major.
 *
 * @param element shape of one image or clip, channels last
 */
record RawInput(float[] values, int batch, Shape element) {

  /** @throws IllegalArgumentException if that is no input of the model */
  static RawInput of(float[] values, Shape shape, Model model) {
    Require.nonNull(values, "input");
    Require.nonNull(shape, "shape");
    Shape element = element(shape, model);
    if (shape.elements() != values.length) {
      throw refused(values.length + " values of shape " + shape, model);
    }
    return new RawInput(values, shape.dim(0), element);
  }

  /**
   * The shape of one image or clip, channels last, of a batch.
   *
   * @throws IllegalArgumentException if that is no input of the model
   */
  static Shape element(Shape shape, Model model) {
    boolean video = model.architecture().frames() > 0;
    if (shape.rank() != (video ? 5 : 4) || shape.dim(1) != model.inputChannels()) {
      throw refused("values of shape " + shape, model);
    }
    int channels = shape.dim(1);
    return video ? Shape.of(shape.dim(2), shape.dim(3), shape.dim(4), channels)
        : Shape.of(shape.dim(2), shape.dim(3), channels);
  }

  private static IllegalArgumentException refused(String what, Model model) {
    return new IllegalArgumentException(what + " are no input of model " + model.name() + ": it takes [batch, "
        + model.inputChannels() + (model.architecture().frames() > 0 ? ", frames" : "") + ", height, width]");
  }

  /** Writes {@code count} images or clips from {@code first} on, channels last, to the buffer's beginning. */
  void write(int first, int count, FloatBuffer into) {
    int channels = element.channels();
    int positions = element.rows();
    int next = 0;
    for (int i = first; i < first + count; i++) {
      int start = i * channels * positions;
      for (int position = 0; position < positions; position++) {
        for (int channel = 0; channel < channels; channel++) {
          into.put(next++, values[start + channel * positions + position]);
        }
      }
    }
  }
}
