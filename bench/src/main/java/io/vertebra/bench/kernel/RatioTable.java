package io.vertebra.bench.kernel;

import io.vertebra.bench.measure.Agreement;
import io.vertebra.bench.measure.Interleaved;
import io.vertebra.bench.measure.MachineFacts;
import io.vertebra.tensor.Precision;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/**
 * Prints our kernels beside others', operation by operation: GFLOP/s of everyone's fastest run, ours as a share of the
 * measured FMA peak, and the ratio of times, above 1 where we are faster than the fastest of the others: of the fastest
 * runs, which a busy machine disturbs least, and of the medians.
 */
public final class RatioTable {
  private final MachineFacts machine;
  private final double seconds;
  private final double tolerance;
  private double fastest;
  private double median;
  private int rows;

  /**
   * @param seconds for each kernel
   * @param tolerance relative difference of answers above which nothing is timed
   */
  public RatioTable(int threads, Precision precision, double seconds, double tolerance) {
    if (threads < 1 || !(seconds > 0)) {
      throw new IllegalArgumentException("--threads must be at least 1, --seconds above 0");
    }
    this.machine = MachineFacts.measure(threads, precision);
    this.seconds = seconds;
    this.tolerance = tolerance;
    System.out.println(machine);
  }

  /** Compares the answers, then times in turns, and prints a row. */
  public void row(String operation, double flops, List<Kernel> kernels) {
    requireAgreement(operation, kernels);
    List<double[]> times = Interleaved.time(kernels.stream().<Runnable>map(kernel -> kernel::run).toList(), seconds);
    double[] best = times.stream().mapToDouble(sorted -> sorted[0]).toArray();
    double[] medians = times.stream().mapToDouble(sorted -> Interleaved.quantile(sorted, 0.5)).toArray();
    if (rows++ == 0) {
      System.out.printf("%-50s%47s%22s%n%-50s", "", "GFLOP/s, fastest run", "ratio", "");
      kernels.forEach(kernel -> System.out.printf(" %14s", kernel.name()));
      System.out.printf(" %8s %8s %7s%n", "of peak", "fastest", "median");
    }
    System.out.printf("%-50s", operation);
    for (double time : best) {
      System.out.printf(Locale.ROOT, " %14.1f", flops / time / 1e9);
    }
    System.out.printf(Locale.ROOT, " %7.0f%% %8.2f %7.2f%n", 100 * flops / best[0] / machine.peakFlops(), ratio(best),
        ratio(medians));
    fastest += Math.log(ratio(best));
    median += Math.log(ratio(medians));
  }

  private static double ratio(double[] times) {
    return IntStream.range(1, times.length).mapToDouble(i -> times[i]).min().orElseThrow() / times[0];
  }

  /** Prints the geometric means of the ratios. */
  public void finish() {
    System.out.printf(Locale.ROOT, "geometric mean of %d: ratio %.2f of fastest runs, %.2f of medians%n", rows,
        Math.exp(fastest / rows), Math.exp(median / rows));
  }

  private void requireAgreement(String operation, List<Kernel> kernels) {
    for (Kernel other : kernels.subList(1, kernels.size())) {
      double error = disagreement(kernels.get(0), other);
      if (!(error <= tolerance)) {
        throw new IllegalStateException(
            operation + ": " + other.name() + " and vertebra differ by " + error + ", relative");
      }
    }
  }

  /** Relative difference of one run each. */
  public static double disagreement(Kernel a, Kernel b) {
    a.reset();
    b.reset();
    a.run();
    b.run();
    return Agreement.relativeError(a.output(), b.output());
  }
}
