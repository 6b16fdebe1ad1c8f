package io.vertebra.weights;

import io.vertebra.tensor.DType;
import io.vertebra.tensor.Shape;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;

/** Where a model's parameters come from: a checkpoint file, or a formula. Thread-safe. */
@FunctionalInterface
public interface ParameterSource extends AutoCloseable {
  /** What this is, for messages: a file's name, or, as here, that parameters are made on demand. */
  default String describe() {
    return "parameters made on demand";
  }

  /**
   * The parameter called {@code name}, or null if there is none.
   *
   * @param expected the shape the model wants; a file gives what it has, whatever its shape, and takes null
   */
  Parameter find(String name, Shape expected);

  /** What a file says of a tensor; its sizes may be anything, none at all (a scalar) and 0 included. */
  record Listing(DType dtype, List<Long> shape) {
    public long elements() {
      return shape.stream().reduce(1L, (a, b) -> a * b);
    }
  }

  /** Describes a parameter without its data, also one that {@link #find} refuses; null if there is none. */
  default Listing list(String name) {
    Parameter parameter = find(name, null);
    return parameter == null ? null
        : new Listing(parameter.dtype(), IntStream.of(parameter.shape().toArray()).asLongStream().boxed().toList());
  }

  /** Names of all parameters, in the source's order; empty, as here, if the source makes them on demand. */
  default Set<String> names() {
    return Set.of();
  }

  /** Free-form notes of a file; none, as here, of what is no file. */
  default Map<String, String> metadata() {
    return Map.of();
  }

  /**
   * Closes the files behind this, after which {@link #find} still tells what is there, but its data cannot be read.
   * Nothing, as here, of what is no file. Idempotent.
   */
  @Override
  default void close() {}
}
