package io.vertebra.bench.measure;

import io.vertebra.cpu.CpuBackend;
import io.vertebra.tensor.Precision;
import java.util.Locale;
import java.util.stream.DoubleStream;

/** What bounds a time on this machine. */
public record MachineFacts(String cpu, String isa, int threads, Precision precision, double peakFlops) {
  private static final int MEASUREMENTS = 5;
  private static final double SECONDS = 0.1;

  /** Reads and measures them; the peak, of multiply-adds in a precision, is the best of a few measurements. */
  public static MachineFacts measure(int threads, Precision precision) {
    try (CpuBackend backend = new CpuBackend(threads, precision)) {
      double peak = DoubleStream.generate(() -> backend.measureFma(SECONDS)).limit(MEASUREMENTS).max().orElseThrow();
      return new MachineFacts(CpuBackend.processor(), CpuBackend.isa(), threads, precision, peak);
    }
  }

  /** Seconds that this many multiply-adds take if every one runs at the measured peak. */
  public double floor(long macs) {
    return 2.0 * macs / peakFlops;
  }

  @Override
  public String toString() {
    return String.format(Locale.ROOT, "%s, %s, %d %s, %s FMA peak %.0f GFLOP/s", cpu, isa, threads,
        threads == 1 ? "thread" : "threads", precision, peakFlops / 1e9);
  }
}
