package io.vertebra.weights;

import io.vertebra.tensor.DType;
import io.vertebra.tensor.DirectMemory;
import io.vertebra.tensor.Shape;
import java.nio.ByteBuffer;

/** Zeros of whatever shape is asked for, which cost nothing: for counting what a model takes. Not thread-safe. */
public final class ZeroWeights implements ParameterSource {
  private ByteBuffer zeros = DirectMemory.allocate(0);

  @Override
  public String describe() {
    return "zeros";
  }

  @Override
  public Parameter find(String name, Shape expected) {
    return new Parameter(name, expected, DType.F32, () -> {
      int bytes = Math.toIntExact(expected.elements() * Float.BYTES);
      zeros = zeros.capacity() < bytes ? DirectMemory.allocate(bytes) : zeros;
      return zeros.slice(0, bytes);
    });
  }
}
