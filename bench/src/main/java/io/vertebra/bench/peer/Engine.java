package io.vertebra.bench.peer;

/** A library holding a model and one batch of images in the layout it prefers, in direct memory. Not thread-safe. */
interface Engine extends AutoCloseable {
  String name();

  /**
   * Hands the images over, runs the model, and brings back the logits, {@code [batch, classes]}, as a Java array: what
   * is timed.
   */
  float[] run();

  @Override
  void close();
}
