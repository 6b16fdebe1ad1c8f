package io.vertebra.bench.peer;

import io.vertebra.backbone.Backbone;
import io.vertebra.bench.kernel.Kernel;
import io.vertebra.bench.kernel.ModelKernel;
import io.vertebra.tensor.Precision;
import io.vertebra.weights.FormulaWeights;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * An operation on another engine: a graph of nothing else, its operand handed over beforehand in the layout the engine
 * prefers, its result left where it is.
 */
public final class PeerKernel implements Kernel {
  private final PeerEngine engine;

  private PeerKernel(PeerEngine engine) {
    this.engine = engine;
  }

  public static Kernel onnxRuntime(ModelKernel kernel, int threads) {
    return open(Library.ONNX_RUNTIME, kernel, threads);
  }

  public static Kernel libtorch(ModelKernel kernel, int threads) {
    return open(Library.LIBTORCH, kernel, threads);
  }

  private static Kernel open(Library library, ModelKernel kernel, int threads) {
    Workload workload = new Workload((weights, backend) -> r -> r.output(Backbone.LOGITS, kernel.record(r, backend)),
        new FormulaWeights(), kernel.images(), kernel.shape(), Precision.FP32);
    try {
      Path folder = Files.createTempDirectory("vertebra-bench");
      Path file = library.file(folder);
      try {
        library.write(workload, file);
        return new PeerKernel((PeerEngine) library.open(workload, file, threads));
      } finally {
        Files.deleteIfExists(file);
        Files.delete(folder);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public String name() {
    return engine.name();
  }

  @Override
  public void run() {
    engine.compute();
  }

  /** Nothing to do: a run leaves the operand as it is. */
  @Override
  public void reset() {}

  @Override
  public float[] output() {
    return engine.run();
  }

  @Override
  public void close() {
    engine.close();
  }
}
