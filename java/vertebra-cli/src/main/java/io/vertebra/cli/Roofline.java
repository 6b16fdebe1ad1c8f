package io.vertebra.cli;

import io.vertebra.backend.Backend;
import io.vertebra.backend.Ceilings;
import io.vertebra.backend.Program;
import io.vertebra.program.Recorder;
import io.vertebra.program.Recording;
import io.vertebra.program.op.MeanPool;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.Set;

/**
 * What bounds a computation on this machine (Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009), measured.
 *
 * @param callSeconds of a call that gives every thread a few nanoseconds of work: into native code, fork and join; on a
 *   GPU, a kernel in a graph
 */
record Roofline(Ceilings ceilings, double callSeconds) {
  /** How long one measurement takes. */
  static final double SECONDS = 0.15;
  private static final int CALLS = 64;
  private static final int CALL_ROUNDS = 200;

  /** Measures what a backend computes on, in its precision and with its threads; takes about a second. */
  static Roofline measure(Backend backend) {
    Ceilings ceilings = backend.ceilings(SECONDS);
    return new Roofline(ceilings, measureCall(backend, ceilings.threads()));
  }

  private static double measureCall(Backend backend, int rows) {
    Shape shape = Shape.of(rows, 8);
    Recording chain = Recording.of(shape, Set.of("means"), Roofline::recordMeans);
    try (Program program = backend.compile(chain)) {
      double best = Double.MAX_VALUE;
      for (int i = 0; i < CALL_ROUNDS; i++) {
        long start = System.nanoTime();
        program.run();
        best = Math.min(best, (System.nanoTime() - start) / 1e9 / CALLS);
      }
      return best;
    }
  }

  private static void recordMeans(Recorder recorder) {
    Tensor rows = recorder.input();
    for (int i = 0; i < CALLS; i++) {
      rows = recorder.record("mean", new MeanPool(), rows);
    }
    recorder.output("means", rows);
  }
}
