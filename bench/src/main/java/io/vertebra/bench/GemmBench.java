package io.vertebra.bench;

import io.vertebra.bench.gemm.GemmData;
import io.vertebra.bench.gemm.GemmShape;
import io.vertebra.bench.gemm.OneDnnGemm;
import io.vertebra.bench.gemm.VertebraGemm;
import io.vertebra.bench.kernel.Kernel;
import io.vertebra.tensor.Precision;
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
 * One matrix product of Swin-T, on our kernel or oneDNN's. Counts 2 m k n FLOPs a run.
 * {@link io.vertebra.bench.gemm.GemmTable} compares the two in one process.
 */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@State(Scope.Benchmark)
public class GemmBench {
  @Param({"m3136k48n96 bias", "m3136k96n288 bias", "m3136k96n96 bias residual", "m3136k96n384 bias gelu",
    "m3136k384n96 bias residual", "m784k384n192", "m784k192n576 bias", "m784k192n192 bias residual",
    "m784k192n768 bias gelu", "m784k768n192 bias residual", "m196k768n384", "m196k384n1152 bias",
    "m196k384n384 bias residual", "m196k384n1536 bias gelu", "m196k1536n384 bias residual", "m49k1536n768",
    "m49k768n2304 bias", "m49k768n768 bias residual", "m49k768n3072 bias gelu", "m49k3072n768 bias residual",
    "m1k768n1000 bias"})
  public String shape;

  @Param({"vertebra", "onednn"})
  public String engine;

  @Param({"1", "2"})
  public int threads;

  @Param("FP32")
  public Precision precision;

  private Kernel gemm;
  private double gflopEachRun;

  /** GFLOP by second. */
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  @State(Scope.Thread)
  public static class Work {
    public double gflop;
  }

  @Setup(Level.Trial)
  public void load() {
    GemmShape parsed = GemmShape.parse(shape);
    GemmData data = GemmData.of(parsed);
    gemm = engine.equals("vertebra") ? VertebraGemm.of(data, threads, precision)
        : new OneDnnGemm(data, threads, precision);
    gflopEachRun = parsed.flops() / 1e9;
  }

  /** Keeps the sums of the residual from growing for ever. */
  @Setup(Level.Iteration)
  public void reset() {
    gemm.reset();
  }

  @Benchmark
  public void gemm(Work work) {
    gemm.run();
    work.gflop += gflopEachRun;
  }

  @TearDown(Level.Trial)
  public void close() {
    gemm.close();
  }
}
