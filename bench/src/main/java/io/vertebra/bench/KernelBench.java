package io.vertebra.bench;

import io.vertebra.bench.kernel.Kernel;
import io.vertebra.bench.kernel.ModelKernel;
import io.vertebra.bench.peer.PeerKernel;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * One attention, depthwise convolution or row of global filters of a model, on us or another engine. An attention of w
 * windows of t tokens, h heads of d counts 4 w t t h d FLOPs a run, a convolution of k x k 2 k k for every element of
 * its result, a filter those of fast Fourier transforms ({@link io.vertebra.program.Cost}). They move, in fp32, 4 w t h
 * d, the elements of operand and result, and those and the filter. {@link KernelTable} and
 * {@link io.vertebra.bench.kernel.DepthwiseTable} compare in one process.
 */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@State(Scope.Benchmark)
public class KernelBench {
  /** Model and kernel. */
  @Param({"swin_tiny_patch4_window7_224: attention 64x49 tokens 3x32 bias",
    "swin_tiny_patch4_window7_224: attention 64x49 tokens 3x32 bias mask",
    "swin_tiny_patch4_window7_224: attention 16x49 tokens 6x32 bias",
    "swin_tiny_patch4_window7_224: attention 4x49 tokens 12x32 bias",
    "swin_tiny_patch4_window7_224: attention 1x49 tokens 24x32 bias",
    "coatnet_0_rw_224: attention 1x196 tokens 12x32 bias", "uniformer_small: attention 1x196 tokens 5x64",
    "Conformer_small_patch16: attention 1x197 tokens 6x64", "hornet_tiny_gf: 8 x global filter 14x14x240",
    "hornet_tiny_gf: 2 x global filter 7x7x496", "uniformer_small: depthwise 5x5 stride 1 on 56x56x64"})
  public String kernel;

  @Param({"vertebra", "onnxruntime", "libtorch"})
  public String engine;

  @Param("2")
  public int threads;

  private Kernel loaded;
  private double gflopEachRun;

  /** GFLOP by second. */
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  @State(Scope.Thread)
  public static class Work {
    public double gflop;
  }

  @Setup(Level.Trial)
  public void load() {
    ModelKernel found = find(kernel);
    gflopEachRun = found.flops() / 1e9;
    loaded = switch (engine) {
      case "vertebra" -> found.vertebra(threads);
      case "onnxruntime" -> PeerKernel.onnxRuntime(found, threads);
      case "libtorch" -> PeerKernel.libtorch(found, threads);
      default -> throw new IllegalArgumentException("engine must be vertebra, onnxruntime or libtorch, not " + engine);
    };
  }

  /** A kernel by model and name. */
  static ModelKernel find(String kernel) {
    String[] parts = kernel.split(": ", 2);
    List<ModelKernel> kernels = ModelKernel.of(List.of(parts[0]), 0);
    return kernels.stream().filter(each -> each.name().equals(parts[parts.length - 1])).findFirst()
        .orElseThrow(() -> new IllegalArgumentException("a kernel is written MODEL: NAME, not " + kernel + "; "
            + parts[0] + " has " + kernels.stream().map(ModelKernel::name).toList()));
  }

  @Benchmark
  public void run(Work work) {
    loaded.run();
    work.gflop += gflopEachRun;
  }

  @TearDown(Level.Trial)
  public void close() {
    loaded.close();
  }
}
