package io.vertebra.backend;

import io.vertebra.image.Preprocessing;
import io.vertebra.program.Recording;
import io.vertebra.program.op.Convolution;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.Weights;
import io.vertebra.tensor.Closing;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.Parameter;
import java.util.function.IntFunction;
import java.util.function.Supplier;

/**
 * Where programs run. Thread-safe: models share one backend between sessions. Closing it frees all weights it packed,
 * as soon as its programs and preprocessors are closed as well; nothing new can be made with it then.
 */
public interface Backend extends AutoCloseable {
  /** The device, instruction set, threads and kernels in use, for people. */
  String describe();

  /**
   * Packs a matrix {@code [out, in]} for {@link Linear}.
   *
   * @throws IllegalArgumentException if it is no matrix
   * @throws io.vertebra.weights.WeightsException if an element is NaN or infinite
   */
  Weights packMatrix(Parameter matrix);

  /**
   * Packs {@code [out, 9 * in]} over (tap, channel) for an {@link Convolution}, as {@link #packMatrix} does for a
   * product.
   *
   * @throws io.vertebra.weights.WeightsException if an element is NaN or infinite
   */
  Weights packConvolution(Parameter matrix);

  /**
   * Keeps values that kernels read as they are: biases, norm scales, attention biases.
   *
   * @throws IllegalArgumentException if there are not as many as the shape says
   */
  Weights packValues(Shape shape, float[] values);

  /**
   * As {@link #packValues(Shape, float[])}, for values that take work: a backend that needs none does not ask for them.
   */
  default Weights packValues(Shape shape, Supplier<float[]> values) {
    return packValues(shape, values.get());
  }

  /**
   * Binds a recording to a program that takes raw input.
   *
   * @throws IllegalArgumentException if weights are not this backend's, or values stand where a packed matrix should
   */
  Program compile(Recording recording);

  /**
   * How many images of a batch to run at a time.
   *
   * @param record records a batch of so many images
   * @return 1 to {@code batch}
   */
  default int piece(int batch, IntFunction<Recording> record) {
    return batch;
  }

  /** What compiles programs that take images; one for each session. */
  Preprocessor preprocessor(Preprocessing recipe);

  /**
   * Measures what the device reaches at best, in this backend's precision and with its threads.
   *
   * @param seconds of one measurement; there are a few
   * @throws UnsupportedOperationException if the device is not made for speed
   */
  default Ceilings ceilings(double seconds) {
    throw new UnsupportedOperationException(describe() + ": there is no telling how fast this could be");
  }

  @Override
  void close();

  /** The check that {@link #packMatrix} promises. */
  static void requireMatrix(Parameter matrix) {
    if (matrix.shape().rank() != 2) {
      throw new IllegalArgumentException(matrix + " is no matrix [out, in]");
    }
  }

  /** The check that {@link #packValues} promises. */
  static void requireSize(Shape shape, float[] values) {
    if (values.length != shape.elements()) {
      throw new IllegalArgumentException(values.length + " values do not make " + shape);
    }
  }
}
