package io.vertebra.bench.gemm;

import io.vertebra.bench.kernel.Kernel;
import io.vertebra.bench.kernel.ModelCalls;
import io.vertebra.bench.kernel.RatioTable;
import io.vertebra.bench.measure.Commands;
import io.vertebra.tensor.Precision;
import java.util.List;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Our GEMM beside oneDNN's on every matrix product of models, in one process: same operands, same threads, fused
 * epilogues, weights packed beforehand, interleaved in rounds. What else we fuse, such as gathered rows, is left out.
 *
 * <p>In bf16 our operand is fp32, as it is in a model, and converted inside; oneDNN's is bf16 already. Results are
 * fp32.
 *
 * <p>In int8 ours stands beside our own in bf16 and fp32.
 */
@Command(name = "GemmTable", mixinStandardHelpOptions = true,
    description = "Compares GEMM with oneDNN on the shapes of models.")
public final class GemmTable implements Runnable {
  /** Results differ by the order of sums, and in bf16 by our GELU, which is exact to bf16. */
  private static final double TOLERANCE = 1e-5;
  static final double BF16_TOLERANCE = 5e-4;
  /** Uniform operands rounded to 1/127 of their range differ by 4e-3 each. */
  static final double INT8_TOLERANCE = 1e-2;

  @Option(names = "--models", split = ",", defaultValue = "swin_tiny_patch4_window7_224", paramLabel = "NAME",
      description = "Models, separated by commas (default ${DEFAULT-VALUE}).")
  private List<String> models;

  @Option(names = "--precision", defaultValue = "fp32",
      description = "Of both libraries: fp32 or bf16; int8 of ours, beside bf16 and fp32 (default ${DEFAULT-VALUE}).")
  private Precision precision;

  @Option(names = "--threads", defaultValue = "2",
      description = "Threads of both libraries (default ${DEFAULT-VALUE}).")
  private int threads;

  @Option(names = "--seconds", defaultValue = "0.5",
      description = "Time for each library and shape (default ${DEFAULT-VALUE}).")
  private double seconds;

  public static void main(String[] args) {
    System.exit(Commands.of(new GemmTable()).execute(args));
  }

  @Override
  public void run() {
    double tolerance = switch (precision) {
      case INT8 -> INT8_TOLERANCE;
      case BF16 -> BF16_TOLERANCE;
      default -> TOLERANCE;
    };
    RatioTable table = new RatioTable(threads, precision, seconds, tolerance);
    for (GemmShape shape : shapes(models)) {
      GemmData data = GemmData.of(shape);
      List<Kernel> kernels
          = precision == Precision.INT8
              ? Stream.of(precision, Precision.BF16, Precision.FP32).map(each -> VertebraGemm.of(data, threads, each))
                  .toList()
              : List.of(VertebraGemm.of(data, threads, precision), new OneDnnGemm(data, threads, precision));
      table.row(shape.toString(), shape.flops(), kernels);
      kernels.forEach(Kernel::close);
    }
    table.finish();
  }

  /** The distinct products of models for one image, in the order they run. */
  static List<GemmShape> shapes(List<String> models) {
    return ModelCalls.of(models, 0).flatMap(call -> GemmShape.of(call).stream()).distinct().toList();
  }
}
