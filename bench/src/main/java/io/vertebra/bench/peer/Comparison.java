package io.vertebra.bench.peer;

import io.vertebra.backbone.ModelStatistics;
import io.vertebra.backbone.Variant;
import io.vertebra.bench.Agreement;
import io.vertebra.bench.Interleaved;
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
  /** fp32 engines that sum in different orders differ by about 1e-6; more than this is another model. */
  private static final double TOLERANCE = 1e-3;

  private final Variant variant;
  private final int batch;
  private final Path folder;
  private final List<Engine> engines = new ArrayList<>();

  /**
   * Times of one engine, in seconds.
   *
   * @param ratio the fastest peer's median over this median: above 1 is faster than every peer
   */
  public record Row(String engine, double median, double p90, int runs, double ratio) {}

  /** Loads the model, with weights by formula, in every engine. */
  public Comparison(Variant variant, int batch, int threads) throws IOException {
    Workload workload = Workload.of(variant, batch);
    this.variant = variant;
    this.batch = batch;
    this.folder = Files.createTempDirectory("vertebra-bench");
    try {
      engines.add(new VertebraEngine(workload, threads));
      engines.add(new OnnxRuntimeEngine(workload, threads, folder));
      engines.add(new LibtorchEngine(workload, threads, folder));
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
   * @throws IllegalStateException if one is above 1e-3: then times would say nothing
   */
  public Map<String, Double> agree() {
    float[] ours = engines.get(0).run();
    Map<String, Double> errors = new TreeMap<>();
    for (Engine peer : engines.subList(1, engines.size())) {
      double error = Agreement.relativeError(peer.run(), ours);
      if (!(error <= TOLERANCE)) {
        throw new IllegalStateException(variant.name() + ": logits of " + peer.name() + " and vertebra differ by "
            + error + ", relative; not timing different models");
      }
      errors.put(peer.name(), error);
    }
    return errors;
  }

  /** Times all engines in turns, about {@code seconds} each. */
  public List<Row> time(double seconds) {
    List<double[]> times = Interleaved.time(engines.stream().<Runnable>map(engine -> engine::run).toList(), seconds);
    double[] medians = times.stream().mapToDouble(sorted -> Interleaved.quantile(sorted, 0.5)).toArray();
    double fastestPeer = IntStream.range(1, medians.length).mapToDouble(i -> medians[i]).min().orElseThrow();
    return IntStream.range(0, medians.length).mapToObj(i -> new Row(engines.get(i).name(), medians[i],
        Interleaved.quantile(times.get(i), 0.9), times.get(i).length, fastestPeer / medians[i])).toList();
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
