package io.vertebra.bench.gemm;

import io.vertebra.bench.Agreement;
import io.vertebra.bench.Interleaved;
import io.vertebra.cpu.CpuBackend;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Our GEMM beside oneDNN's on every matrix product of Swin-T, in one process: same operands, same threads, fused
 * epilogues, weights packed beforehand, interleaved in rounds. The ratio is oneDNN's time over ours, above 1 where ours
 * is faster: of the fastest runs, which a busy machine disturbs least, and of the medians.
 */
@Command(name = "GemmTable", mixinStandardHelpOptions = true,
    description = "Compares GEMM with oneDNN on the shapes of Swin-T.")
public final class GemmTable implements Runnable {
  private static final double TOLERANCE = 1e-5;

  @Option(names = "--threads", defaultValue = "2",
      description = "Threads of both libraries (default ${DEFAULT-VALUE}).")
  private int threads;

  @Option(names = "--seconds", defaultValue = "0.5",
      description = "Time for each library and shape (default ${DEFAULT-VALUE}).")
  private double seconds;

  public static void main(String[] args) {
    System.exit(new CommandLine(new GemmTable()).execute(args));
  }

  @Override
  public void run() {
    System.out.printf(Locale.ROOT, "%s, %d threads%n%-28s %20s %18s%n%-28s %10s %9s %9s %8s%n", CpuBackend.isa(),
        threads, "", "GFLOP/s, fastest run", "ratio", "", "vertebra", "onednn", "fastest", "median");
    double fastest = 0;
    double median = 0;
    List<GemmShape> shapes = GemmShape.swinTiny();
    for (GemmShape shape : shapes) {
      List<double[]> times = time(shape);
      double[] best = times.stream().mapToDouble(sorted -> sorted[0]).toArray();
      double medians = Interleaved.quantile(times.get(1), 0.5) / Interleaved.quantile(times.get(0), 0.5);
      System.out.printf(Locale.ROOT, "%-28s %10.1f %9.1f %9.2f %8.2f%n", shape, shape.flops() / best[0] / 1e9,
          shape.flops() / best[1] / 1e9, best[1] / best[0], medians);
      fastest += Math.log(best[1] / best[0]);
      median += Math.log(medians);
    }
    System.out.printf(Locale.ROOT, "%-48s %9.2f %8.2f%n", "geometric mean", Math.exp(fastest / shapes.size()),
        Math.exp(median / shapes.size()));
  }

  /** Seconds of the runs of ours and of theirs, ascending. */
  private List<double[]> time(GemmShape shape) {
    try (GemmData data = new GemmData(shape);
         Gemm ours = new VertebraGemm(data, threads);
         Gemm theirs = new OneDnnGemm(data, threads)) {
      double error = disagreement(ours, theirs);
      if (!(error <= TOLERANCE)) {
        throw new IllegalStateException(shape + ": results differ by " + error + ", relative");
      }
      return Interleaved.time(List.of(ours::run, theirs::run), seconds);
    }
  }

  /** Relative difference of one run each. */
  static double disagreement(Gemm a, Gemm b) {
    a.reset();
    b.reset();
    a.run();
    b.run();
    return Agreement.relativeError(a.output(), b.output());
  }
}
