package io.vertebra.weights;

import io.vertebra.program.Shape;
import java.util.Map;
import java.util.Set;

/** Where a model's parameters come from: a checkpoint file, or a formula. Immutable and thread-safe. */
public interface ParameterSource {
  /** What this is, for messages: a file's name, or {@code formula}. */
  String describe();

  /**
   * The parameter called {@code name}, or null if there is none.
   *
   * @param expected the shape the model wants; a file gives what it has, whatever its shape, and takes null
   */
  Parameter find(String name, Shape expected);

  /** Names of all parameters, in the source's order; empty if the source makes them on demand. */
  Set<String> names();

  /** Free-form notes of a file. */
  Map<String, String> metadata();
}
