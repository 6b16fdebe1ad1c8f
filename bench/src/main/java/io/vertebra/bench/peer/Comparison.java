package io.vertebra.bench.peer;

import io.vertebra.backbone.ModelStatistics;
import io.vertebra.backbone.Variant;
import io.vertebra.bench.measure.Agreement;
import io.vertebra.bench.measure.Interleaved;
import io.vertebra.tensor.Precision;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** One model on all engines, in one process: answers first, then times. */
public final class Comparison implements AutoCloseable {
  /**
   * fp32 engines that sum in different orders differ by about 1e-6, bf16 and int8 by 1e-2 to 2e-2; more than this is
   * another model.
   */
  private static final double TOLERANCE = 1e-3;
  private static final double ROUNDED_TOLERANCE = 5e-2;

  private final Variant variant;
  private final int batch;
  private final int threads;
  private final Precision precision;
  private final Path folder;
  private final List<Engine> engines = new ArrayList<>();

  /**
   * Times of one engine, in seconds, and its peak resident memory, in bytes.
   *
   * @param ratio the fastest peer's median over this median: above 1 is faster than every peer
   * @param peakMemory of a JVM that loads the model from its file and runs it
   */
  public record Row(String engine, double median, double p90, int runs, double ratio, long peakMemory) {}

  /** Loads the model, with weights by formula, in every engine. */
  public Comparison(Variant variant, int batch, int threads, Precision precision) throws IOException {
    Workload workload = Workload.of(variant, batch, precision);
    this.variant = variant;
    this.batch = batch;
    this.threads = threads;
    this.precision = precision;
    this.folder = Files.createTempDirectory("vertebra-bench");
    try {
      for (Library library : Library.values()) {
        library.write(workload, library.file(folder));
        engines.add(library.open(workload, library.file(folder), threads));
      }
    } catch (IOException | RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /** Multiply-accumulates of one run. */
  public long macs() {
    return batch * ModelStatistics.of(variant.architecture()).macs();
  }

  /**
   * Runs every peer once and compares with our answer.
   *
   * @return relative differences of the logits by peer
   * @throws IllegalStateException if one is above 1e-3, in bf16 and int8 5e-2: then times would say nothing
   */
  public Map<String, Double> agree() {
    float[] ours = engines.get(0).run();
    Map<String, Double> errors = new TreeMap<>();
    for (Engine peer : engines.subList(1, engines.size())) {
      double error = Agreement.relativeError(peer.run(), ours);
      if (!(error <= (precision == Precision.FP32 ? TOLERANCE : ROUNDED_TOLERANCE))) {
        throw new IllegalStateException(variant.name() + ": logits of " + peer.name() + " and vertebra differ by "
            + error + ", relative; not timing different models");
      }
      errors.put(peer.name(), error);
    }
    return errors;
  }

  /** Times all engines in turns, about {@code seconds} each, and measures the memory each needs by itself. */
  public List<Row> measure(double seconds) throws IOException {
    List<double[]> times = Interleaved.time(engines.stream().<Runnable>map(engine -> engine::run).toList(), seconds);
    double[] medians = times.stream().mapToDouble(sorted -> Interleaved.quantile(sorted, 0.5)).toArray();
    double fastestPeer = IntStream.range(1, medians.length).mapToDouble(i -> medians[i]).min().orElseThrow();
    List<Row> rows = new ArrayList<>();
    for (Library library : Library.values()) {
      int i = library.ordinal();
      long peak = PeakMemory.measure(library, library.file(folder), variant.name(), batch, threads, precision);
      rows.add(new Row(engines.get(i).name(), medians[i], Interleaved.quantile(times.get(i), 0.9), times.get(i).length,
          fastestPeer / medians[i], peak));
    }
    return rows;
  }

  @Override
  public void close() throws IOException {
    engines.forEach(Engine::close);
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
    Files.delete(folder);
  }
}
