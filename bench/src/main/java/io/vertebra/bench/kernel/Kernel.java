package io.vertebra.bench.kernel;

/** A library's version of an operation, with everything that can be prepared beforehand prepared. Not thread-safe. */
public interface Kernel extends AutoCloseable {
  /** Who computes, and how if a library has several ways. */
  String name();

  /** Runs it once. With a residual, the output of the run before is this run's residual. */
  void run();

  /** Sets the operands to what they were at first. */
  void reset();

  /** The output of the last run, in our layout: channels last. */
  float[] output();

  @Override
  void close();
}
