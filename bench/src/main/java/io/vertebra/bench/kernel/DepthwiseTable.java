package io.vertebra.bench.kernel;

import io.vertebra.bench.measure.Commands;
import io.vertebra.tensor.Precision;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Our depthwise convolution beside oneDNN's on every one of models, in one process: same operands, same threads, bias
 * and activation fused, interleaved in rounds. oneDNN runs on maps channels last and on maps in the layout it likes
 * best, made beforehand; the faster one counts.
 */
@Command(name = "DepthwiseTable", mixinStandardHelpOptions = true,
    description = "Compares depthwise convolutions with oneDNN on the shapes of models.")
public final class DepthwiseTable implements Runnable {
  private static final double TOLERANCE = 1e-5;

  @Option(names = "--models", split = ",", paramLabel = "NAME",
      description = "Models, separated by commas (default ${DEFAULT-VALUE}).",
      defaultValue = "coatnet_0_224,coatnet_0_rw_224,uniformer_small,hornet_tiny_7x7,hornet_small_7x7,"
          + "hornet_tiny_gf")
  private List<String> models;

  @Option(names = "--threads", defaultValue = "2",
      description = "Threads of both libraries (default ${DEFAULT-VALUE}).")
  private int threads;

  @Option(names = "--seconds", defaultValue = "0.5",
      description = "Time for each library and convolution (default ${DEFAULT-VALUE}).")
  private double seconds;

  public static void main(String[] args) {
    System.exit(Commands.of(new DepthwiseTable()).execute(args));
  }

  @Override
  public void run() {
    RatioTable table = new RatioTable(threads, Precision.FP32, seconds, TOLERANCE);
    for (ModelKernel kernel : ModelKernel.of(models, 0)) {
      if (kernel.kind() == ModelKernel.Kind.DEPTHWISE) {
        try (Kernel ours = kernel.vertebra(threads);
            Kernel channelsLast = new OneDnnDepthwise(kernel, true, threads);
            Kernel preferred = new OneDnnDepthwise(kernel, false, threads)) {
          table.row(kernel.name(), kernel.flops(), List.of(ours, channelsLast, preferred));
        }
      }
    }
    table.finish();
  }
}
