package io.vertebra.cuda;

import io.vertebra.Families;
import io.vertebra.backbone.Architecture;
import io.vertebra.backbone.Backbone;
import io.vertebra.backend.Ceilings;
import io.vertebra.golden.GoldenFile;
import io.vertebra.program.Cost;
import io.vertebra.program.Recorder;
import io.vertebra.program.Recording;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.FormulaWeights;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * Latency, throughput and the time of every kernel of models, with weights and images by formula. A kernel's time is
 * that of its call repeated, without pauses between launches and with whatever fits in cache.
 *
 * <pre>TimingCheck [--device cuda:N|cuda-emulated] [--models NAME|GOLDEN_FILE,...] [--batches 1,8,32,128] [--precisions
 * fp16,...] [--runs 1000]</pre>
 */
final class TimingCheck {
  private static final String MODELS
      = "swin_tiny_patch4_window7_224,coatnet_0_rw_224,uniformer_small,hornet_tiny_7x7,hornet_tiny_gf,"
          + "Conformer_small_patch16";
  private static final int WARM_UP = 20;
  /** How long a ceiling is measured. */
  private static final double SECONDS = 0.3;

  /** A model without weights, and the batch of 1 it takes. */
  private record Subject(String name, Shape image, Loader loader) {
    interface Loader {
      Consumer<Recorder> load(CudaBackend backend);
    }

    static Subject of(String name) {
      if (name.endsWith(".safetensors")) {
        GoldenFile file = GoldenFile.open(Path.of(name));
        Shape shape = file.inputShapes().get(0);
        return new Subject(Path.of(name).getFileName().toString(),
            Shape.of(1, shape.dim(2), shape.dim(3), shape.dim(1)), backend -> file.load(file.weights(), backend));
      }
      Architecture architecture = Families.named(name).architecture();
      return new Subject(name, Shape.of(1, architecture.image().rows(), architecture.image().columns(), 3),
          backend -> architecture.load(new FormulaWeights(), backend)::forward);
    }
  }

  /** Milliseconds of runs, sorted. */
  private record Times(double[] sorted) {
    static Times of(int runs, Runnable run) {
      for (int i = 0; i < Math.min(runs, WARM_UP); i++) {
        run.run();
      }
      double[] times = new double[runs];
      for (int i = 0; i < runs; i++) {
        long start = System.nanoTime();
        run.run();
        times[i] = (System.nanoTime() - start) / 1e6;
      }
      Arrays.sort(times);
      return new Times(times);
    }

    double quantile(double part) {
      return sorted[(int) Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
    }
  }

  /** What one kernel, or the kernels of one call, took in all. */
  private static final class Total {
    int calls;
    double milliseconds;
    long bytes;
    long flops;
  }

  private TimingCheck() {}

  public static void main(String[] arguments) {
    CheckOptions options = CheckOptions.parse(arguments,
        Map.of("models", MODELS, "batches", "1,8,32,128", "precisions", "fp16", "runs", "1000"));
    int runs = Integer.parseInt(options.get("runs"));
    for (Precision precision : options.precisions()) {
      Ceilings ceilings;
      try (CudaBackend backend = new CudaBackend(options.open(), precision)) {
        ceilings = backend.ceilings(SECONDS);
        System.out.printf(Locale.ROOT,
            "%n## %s%n%nMeasured at most: %.0f GB/s copied (read and written), %.1f TFLOP/s by cuBLAS.%n",
            backend.describe(), ceilings.bytesPerSecond(Long.MAX_VALUE) / 1e9, ceilings.flops() / 1e12);
      }
      System.out
          .println("\n| model | batch | run p50 ms | p99 | on the device p50 | p99 | without graph p50 | images/s |"
              + "\n|---|---:|---:|---:|---:|---:|---:|---:|");
      StringBuilder kernels = new StringBuilder();
      for (String name : options.list("models")) {
        Subject subject = Subject.of(name);
        try (CudaBackend backend = new CudaBackend(options.open(), precision)) {
          Consumer<Recorder> forward = subject.loader().load(backend);
          for (int batch : options.integers("batches")) {
            kernels.append(time(subject, forward, backend, batch, runs, ceilings));
          }
        }
      }
      System.out.println(kernels);
    }
  }

  private static String time(Subject subject, Consumer<Recorder> forward, CudaBackend backend, int batch, int runs,
      Ceilings ceilings) {
    Shape image = subject.image();
    Recording recording
        = Recording.of(Shape.of(batch, image.dim(1), image.dim(2), image.dim(3)), Set.of(Backbone.LOGITS), forward);
    try (CudaProgram program = (CudaProgram) backend.compile(recording)) {
      float[] images = FormulaWeights.input(subject.name(), recording.inputs().get(0).shape());
      program.input().put(0, images);
      int fewer = Math.max(1, Math.min(runs, 4 * runs / batch));
      Times whole = Times.of(fewer, program::run);
      Times onDevice = Times.of(fewer, () -> program.runOnDevice(true));
      Times withoutGraph = Times.of(fewer, () -> program.runOnDevice(false));
      System.out.printf(Locale.ROOT, "| %s | %d | %.3f | %.3f | %.3f | %.3f | %.3f | %.0f |%n", subject.name(), batch,
          whole.quantile(0.5), whole.quantile(0.99), onDevice.quantile(0.5), onDevice.quantile(0.99),
          withoutGraph.quantile(0.5), batch * 1e3 / onDevice.quantile(0.5));
      return kernels(subject.name() + ", batch " + batch, program, Math.min(fewer, WARM_UP), ceilings);
    }
  }

  private static String kernels(String title, CudaProgram program, int repeats, Ceilings ceilings) {
    Map<String, Total> totals = new LinkedHashMap<>();
    for (int i = 0; i < program.steps().size(); i++) {
      Step step = program.steps().get(i);
      Total total = totals.computeIfAbsent(name(step), key -> new Total());
      total.calls++;
      total.milliseconds += program.milliseconds(i, repeats);
      Cost cost = Cost.of(step.call(), ceilings.elementBytes());
      total.bytes += cost.bytes() + step.extraBytes();
      total.flops += cost.flops();
    }
    double all = totals.values().stream().mapToDouble(total -> total.milliseconds).sum();
    StringBuilder table = new StringBuilder(
        "\n### " + title + "\n\n| kernels of a call | calls | ms | share | GB/s | of peak | TFLOP/s | of peak |"
            + "\n|---|---:|---:|---:|---:|---:|---:|---:|\n");
    totals.entrySet().stream().sorted(Comparator.comparingDouble(entry -> -entry.getValue().milliseconds))
        .forEach(entry -> {
          Total total = entry.getValue();
          double seconds = total.milliseconds / 1e3;
          table.append(String.format(Locale.ROOT, "| %s | %d | %.3f | %.0f %% | %.0f | %.0f %% | %.2f | %.0f %% |%n",
              entry.getKey(), total.calls, total.milliseconds, 100 * total.milliseconds / all,
              total.bytes / seconds / 1e9, 100 * total.bytes / seconds / ceilings.bytesPerSecond(Long.MAX_VALUE),
              total.flops / seconds / 1e12, 100 * total.flops / seconds / ceilings.flops()));
        });
    return table.toString();
  }

  private static String name(Step step) {
    return step.works().stream().map(work -> work.launch() == null ? "cuBLAS" : work.launch().kernel().name())
        .distinct().collect(Collectors.joining(" + "));
  }
}
