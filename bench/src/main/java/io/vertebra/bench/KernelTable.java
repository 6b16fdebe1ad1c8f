package io.vertebra.bench;

import io.vertebra.bench.kernel.Kernel;
import io.vertebra.bench.kernel.ModelKernel;
import io.vertebra.bench.kernel.RatioTable;
import io.vertebra.bench.measure.Commands;
import io.vertebra.bench.peer.PeerKernel;
import io.vertebra.tensor.Precision;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Our attention and global filter beside ONNX Runtime's and libtorch's, on every one of models, in one process: same
 * operands and weights in fp32, same threads, interleaved in rounds. Everyone finds the operand in memory, in the
 * layout it prefers, and leaves the result there.
 *
 * <p>Attention goes from one operand of queries, keys and values to heads side by side, as between a model's products.
 * Global filters stand a few in a row. Their FLOPs are those of fast Fourier transforms, whatever a library does.
 */
@Command(name = "KernelTable", mixinStandardHelpOptions = true,
    description = "Compares attention and global filters of models with ONNX Runtime and libtorch.")
public final class KernelTable implements Runnable {
  static final double TOLERANCE = 1e-5;

  @Option(names = "--models", split = ",", paramLabel = "NAME",
      description = "Models, separated by commas (default ${DEFAULT-VALUE}).",
      defaultValue = "swin_tiny_patch4_window7_224,coatnet_0_rw_224,uniformer_small,Conformer_small_patch16,"
          + "hornet_tiny_gf")
  private List<String> models;

  @Option(names = "--size", defaultValue = "0",
      description = "Height and width of the image (default: what each model is built for).")
  private int size;

  @Option(names = "--threads", defaultValue = "2", description = "Threads of every engine (default ${DEFAULT-VALUE}).")
  private int threads;

  @Option(names = "--seconds", defaultValue = "0.5",
      description = "Time for each engine and operation (default ${DEFAULT-VALUE}).")
  private double seconds;

  public static void main(String[] args) {
    System.exit(Commands.of(new KernelTable()).execute(args));
  }

  @Override
  public void run() {
    RatioTable table = new RatioTable(threads, Precision.FP32, seconds, TOLERANCE);
    for (ModelKernel kernel : ModelKernel.of(models, size)) {
      if (kernel.kind() != ModelKernel.Kind.DEPTHWISE) {
        try (Kernel ours = kernel.vertebra(threads);
            Kernel onnxRuntime = PeerKernel.onnxRuntime(kernel, threads);
            Kernel libtorch = PeerKernel.libtorch(kernel, threads)) {
          table.row(kernel.name(), kernel.flops(), List.of(ours, onnxRuntime, libtorch));
        }
      }
    }
    table.finish();
  }
}
