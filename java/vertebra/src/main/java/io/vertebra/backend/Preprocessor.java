package io.vertebra.backend;

import io.vertebra.image.Preprocessing;
import io.vertebra.program.Recording;

/**
 * Compiles programs that take images, all by one recipe. They share the memory in which it prepares images, so that one
 * caller at a time may run them. Not thread-safe; close it to free that memory.
 */
public interface Preprocessor extends AutoCloseable {
  Preprocessing recipe();

  /**
   * As {@link Backend#compile}, for a program that takes images as well (see {@link Program#put}) as long as this is
   * open.
   */
  Program compile(Recording recording);

  @Override
  void close();
}
