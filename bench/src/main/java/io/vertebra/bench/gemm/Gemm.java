package io.vertebra.bench.gemm;

/** A library's matrix product with everything that can be prepared beforehand prepared. Not thread-safe. */
public interface Gemm extends AutoCloseable {
  /** Runs it once. With a residual, the output of the run before is this run's residual. */
  void run();

  /** Sets the output to the data's residual; without one that does not matter. */
  void reset();

  /** The output of the last run, {@code [m, n]}. */
  float[] output();

  @Override
  void close();
}
