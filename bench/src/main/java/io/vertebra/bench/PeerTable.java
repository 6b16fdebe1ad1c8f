package io.vertebra.bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.vertebra.Families;
import io.vertebra.backbone.Variant;
import io.vertebra.bench.measure.Commands;
import io.vertebra.bench.measure.MachineFacts;
import io.vertebra.bench.peer.Comparison;
import io.vertebra.tensor.Precision;
import java.io.IOException;
import java.io.PrintStream;
import java.io.StringWriter;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Whole models beside ONNX Runtime and libtorch: same weights, same images, same number of threads, one process,
 * engines in turns.
 *
 * <p>Timed is one call from images in direct memory, in the layout the engine prefers (channels last for us, channels
 * first for the peers), to logits in a Java array: handing the images over, the model, reading the result.
 * Preprocessing is not part of it. Every engine's logits are compared with ours first, and nothing is timed if they
 * differ by more than 1e-3, relative, or 5e-2 in bf16 and int8.
 *
 * <p>The ratio of a row is the fastest peer's median over the row's median: ours above 1 says how many times faster
 * than every peer we are.
 *
 * <p>Peak memory is the resident set's high-water mark (VmHWM) of a fresh JVM per engine (serial collector, a heap that
 * starts at 16 MB), which loads the model from its file (ours a safetensors file, mapped) and runs it a few times.
 */
@Command(name = "PeerTable", mixinStandardHelpOptions = true,
    description = "Times models on vertebra, ONNX Runtime and libtorch.")
public final class PeerTable implements Callable<Integer> {
  @Option(names = "--models", split = ",", defaultValue = "swin_tiny_patch4_window7_224", paramLabel = "NAME",
      description = "Models, separated by commas (default ${DEFAULT-VALUE}).")
  private List<String> models;

  @Option(names = "--threads", defaultValue = "2", description = "Threads of every engine (default ${DEFAULT-VALUE}).")
  private int threads;

  @Option(names = "--batch", defaultValue = "1", description = "Images a run (default ${DEFAULT-VALUE}).")
  private int batch;

  @Option(names = "--precision", defaultValue = "fp32",
      description = "Arithmetic of our matrix products: fp32, bf16 or int8. Peers always run fp32.")
  private Precision precision;

  @Option(names = "--seconds", defaultValue = "3",
      description = "Time for each model and engine (default ${DEFAULT-VALUE}).")
  private double seconds;

  @Option(names = "--json", description = "Print one JSON object a row and everything else to standard error.")
  private boolean json;

  public static void main(String[] args) {
    System.exit(command().execute(args));
  }

  static CommandLine command() {
    return Commands.of(new PeerTable());
  }

  @Override
  public Integer call() throws IOException {
    if (threads < 1 || batch < 1 || !(seconds > 0)) {
      throw new IllegalArgumentException("--threads and --batch must be at least 1, --seconds above 0");
    }
    List<Variant> variants = models.stream().map(Families::named).toList();
    PrintStream notes = json ? System.err : System.out;
    MachineFacts machine = MachineFacts.measure(threads, Precision.FP32);
    notes.println(machine);
    for (Variant variant : variants) {
      compare(variant, machine, notes);
    }
    return 0;
  }

  private void compare(Variant variant, MachineFacts machine, PrintStream notes) throws IOException {
    try (Comparison comparison = new Comparison(variant, batch, threads, precision)) {
      notes.printf(Locale.ROOT, "%n%s, batch %d: %.2f GMACs, %.1f ms at FMA peak%n", variant.name(), batch,
          comparison.macs() / 1e9, 1e3 * machine.floor(comparison.macs()));
      for (Map.Entry<String, Double> peer : comparison.agree().entrySet()) {
        notes.printf(Locale.ROOT, "logits of %s differ from ours by %.1e, relative%n", peer.getKey(), peer.getValue());
      }
      List<Comparison.Row> rows = comparison.measure(seconds);
      if (json) {
        for (Comparison.Row row : rows) {
          System.out.println(json(variant.name(), row));
        }
      } else {
        table(variant.name(), rows);
      }
    }
  }

  private void table(String model, List<Comparison.Row> rows) {
    System.out.printf("%-34s %-12s %-9s %10s %10s %6s %6s %8s%n", "model", "engine", "precision", "median ms", "p90 ms",
        "runs", "ratio", "peak MB");
    for (Comparison.Row row : rows) {
      System.out.printf(Locale.ROOT, "%-34s %-12s %-9s %10.2f %10.2f %6d %6.2f %8.0f%n", model, row.engine(),
          precisionOf(row.engine()), 1e3 * row.median(), 1e3 * row.p90(), row.runs(), row.ratio(),
          1e-6 * row.peakMemory());
    }
  }

  String json(String model, Comparison.Row row) throws IOException {
    StringWriter line = new StringWriter();
    try (JsonGenerator object = new JsonFactory().createGenerator(line)) {
      object.writeStartObject();
      object.writeStringField("model", model);
      object.writeStringField("engine", row.engine());
      object.writeStringField("precision", precisionOf(row.engine()));
      object.writeNumberField("threads", threads);
      object.writeNumberField("batch", batch);
      object.writeNumberField("median_ms", 1e3 * row.median());
      object.writeNumberField("p90_ms", 1e3 * row.p90());
      object.writeNumberField("runs", row.runs());
      object.writeNumberField("ratio", row.ratio());
      object.writeNumberField("peak_mb", 1e-6 * row.peakMemory());
      object.writeEndObject();
    }
    return line.toString();
  }

  private String precisionOf(String engine) {
    return (engine.equals("vertebra") ? precision : Precision.FP32).toString();
  }
}
