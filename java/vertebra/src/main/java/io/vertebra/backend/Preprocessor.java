package io.vertebra.backend;

import io.vertebra.image.Image;
import io.vertebra.image.ImageException;
import io.vertebra.image.Preprocessing;
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

  /**
   * Makes an image an element of the batch of a program's next run. A device may do that in its own memory: then
   * {@link Program#slot} does not show it.
   *
   * @throws ImageException if the image is too long and thin to be resized
   * @throws IllegalArgumentException if the program's input is not made of images of this recipe's size
   * @throws IllegalStateException if this or the program is closed
   */
  default void apply(Image image, Program program, int slot) {
    apply(image, program.slot(slot));
  }

  @Override
  void close();
}
