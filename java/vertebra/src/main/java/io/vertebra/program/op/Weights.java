package io.vertebra.program.op;

import io.vertebra.backend.Backend;
import io.vertebra.backend.Program;
import io.vertebra.program.Recording;
import io.vertebra.tensor.Shape;

/**
 * Parameters in the form a backend's kernels want them, made by {@link Backend#packMatrix} and
 * {@link Backend#packValues}. Opaque, read-only, shared by all programs of a model. Their memory is freed with the
 * backend that made them, or once they are unreachable: a {@link Recording} holds those it uses, and a {@link Program}
 * its recording.
 */
public interface Weights {
  /** The logical shape: {@code [out, in]} of a matrix, whatever the packed layout. */
  Shape shape();
}
