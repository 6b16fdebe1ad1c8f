package io.vertebra.image;

import java.nio.FloatBuffer;

/** Applies one {@link Preprocessing}. Not thread-safe; {@link #apply} reuses memory, which {@link #close} frees. */
public interface Preprocessor extends AutoCloseable {
  Preprocessing recipe();

  /**
   * Writes {@code [height, width, 3]} floats from {@code into}'s position on; the position stays.
   *
   * @param into must have {@link Preprocessing#elements} floats left; native backends want it direct, in native order
   * @throws ImageException if the image is too long and thin to be resized
   * @throws IllegalArgumentException if {@code into} does not serve
   * @throws IllegalStateException if this is closed
   */
  void apply(Image image, FloatBuffer into);

  @Override
  void close();
}
