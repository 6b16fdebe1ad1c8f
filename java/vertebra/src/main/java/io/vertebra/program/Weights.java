package io.vertebra.program;

/**
 * Parameters in the form a backend's kernels want them, made once by {@link Backend#pack} and its kin. Opaque, read-only,
 * shared by all programs of a model, owned by the backend that made them and freed with it.
 */
public interface Weights {
  /** The logical shape: {@code [out, in]} of a matrix, whatever the packed layout. */
  Shape shape();
}
