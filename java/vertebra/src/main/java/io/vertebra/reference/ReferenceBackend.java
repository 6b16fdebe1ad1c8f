package io.vertebra.reference;

import io.vertebra.backend.Backend;
import io.vertebra.backend.Preprocessor;
import io.vertebra.backend.Program;
import io.vertebra.image.Preprocessing;
import io.vertebra.program.Recording;
import io.vertebra.program.op.Weights;
import io.vertebra.tensor.OwnLoader;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.WeightsException;

/**
 * Plain loops in double precision, one thread: the oracle for every other backend. It needs no native code, and is far
 * too slow for anything but tests and a first look.
 */
public final class ReferenceBackend implements Backend {

  /** Weights as they were given. */
  public record ReferenceWeights(Shape shape, float[] values) implements Weights {}

  @Override
  public String describe() {
    return "reference, double precision, 1 thread";
  }

  @Override
  public Weights packMatrix(Parameter matrix) {
    Backend.requireMatrix(matrix);
    float[] values = matrix.toFloats();
    for (float value : values) {
      if (!Float.isFinite(value)) {
        throw new WeightsException(matrix.name() + " holds NaN or infinite values; the checkpoint is damaged");
      }
    }
    return new ReferenceWeights(matrix.shape(), values);
  }

  @Override
  public Weights packConvolution(Parameter matrix) {
    return packMatrix(matrix);
  }

  @Override
  public Weights packValues(Shape shape, float[] values) {
    Backend.requireSize(shape, values);
    return new ReferenceWeights(shape, values.clone());
  }

  @Override
  public Program compile(Recording recording) {
    return new ReferenceProgram(recording, null);
  }

  @Override
  public long loaded() {
    return 0;
  }

  /** Everything is on the heap but the input. */
  @Override
  public long programBytes(Recording recording) {
    return recording.inputs().stream().mapToLong(input -> input.shape().elements() * Float.BYTES).sum();
  }

  @Override
  public Preprocessor preprocessor(Preprocessing recipe) {
    return new ReferencePreprocessor(recipe);
  }

  static float[] values(Weights weights) {
    if (weights instanceof ReferenceWeights own) {
      return own.values();
    }
    throw new IllegalArgumentException("weights " + weights.shape() + " were packed by another backend");
  }

  @Override
  public void close() {
    // The garbage collector frees the weights.
    OwnLoader.forgetRecords();
  }
}
