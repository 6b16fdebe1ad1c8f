package io.vertebra.program.op;

import io.vertebra.tensor.Shape;

/**
 * Parameters in the form a backend's kernels want them, made by a backend. Opaque, read-only, shared by all programs of
 * a model. Their memory is freed with the backend that made them, or once they are unreachable: a recording holds those
 * it uses, and a program its recording.
 */
public interface Weights {
  /** The logical shape: {@code [out, in]} of a matrix, whatever the packed layout. */
  Shape shape();
}
