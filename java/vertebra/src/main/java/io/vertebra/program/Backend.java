package io.vertebra.program;

import io.vertebra.image.Preprocessing;
import io.vertebra.image.Preprocessor;
import io.vertebra.weights.Parameter;

/**
 * Where programs run. Thread-safe: models share one backend between sessions. Closing it frees all weights it packed; programs must be
 * closed before.
 */
public interface Backend extends AutoCloseable {
  /** The device, instruction set, threads and kernels in use, for people. */
  String describe();

  /**
   * Packs a matrix {@code [out, in]} for {@link Op.Linear}.
   *
   * @throws io.vertebra.weights.WeightsException if an element is NaN or infinite
   */
  Weights packMatrix(Parameter matrix);

  /** Keeps values that kernels read as they are: biases, norm scales, attention biases. */
  Weights packValues(Shape shape, float[] values);

  /** Binds a recording whose weights this backend packed. */
  Program compile(Recording recording);

  /** Makes images into a program's input; one for each session, to be closed before this. */
  Preprocessor preprocessor(Preprocessing recipe);

  @Override
  void close();
}
