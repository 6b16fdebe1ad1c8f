package io.vertebra.cli;

import io.vertebra.backend.Backend;
import io.vertebra.backend.Program;
import io.vertebra.cpu.CpuBackend;
import io.vertebra.cuda.CudaBackend;
import io.vertebra.program.Recorder;
import io.vertebra.program.Recording;
import io.vertebra.program.op.MeanPool;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * What bounds a computation on this machine (Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009), measured.
 *
 * @param peak what reaches it: FMA, or cuBLAS
 * @param peakFlops FLOP/s: on a CPU, of fused multiply-adds in registers, all threads together; on a GPU, of large
 *   products
 * @param callSeconds of a call that gives every thread a few nanoseconds of work: into native code, fork and join; on a
 *   GPU, a kernel in a graph
 * @param levels of memory, the fastest first, the last without limit
 * @param elementBytes of activations and matrices
 */
record Roofline(String peak, double peakFlops, double callSeconds, List<Level> levels, int elementBytes) {
  /** How long one measurement takes. */
  static final double SECONDS = 0.15;
  private static final long MEMORY_BYTES = 256 << 20;
  private static final long MAX_MEMORY_BYTES = 1 << 30;
  private static final int CALLS = 64;
  private static final int CALL_ROUNDS = 200;

  /**
   * A cache, or memory.
   *
   * @param bytes that all threads together can keep in it
   * @param bytesPerSecond read and written when all threads copy inside it
   */
  record Level(String name, long bytes, double bytesPerSecond) {}

  /** Measures what a backend computes on, in its precision and with its threads; takes about a second. */
  static Roofline measure(Backend backend) {
    return backend instanceof CudaBackend gpu ? measure(gpu) : measure((CpuBackend) backend, Cpu.detect());
  }

  private static Roofline measure(CudaBackend gpu) {
    long cache = gpu.cacheBytes();
    // Two blocks that take half of the cache, and two that take eight times what it has.
    List<Level> levels = List.of(new Level("L2", cache, gpu.measureCopy(cache / 4, SECONDS)),
        new Level("memory", Long.MAX_VALUE, gpu.measureCopy(4 * cache, SECONDS)));
    return new Roofline("cuBLAS", gpu.measureProducts(SECONDS), measureCall(gpu, 1), levels, gpu.elementBytes());
  }

  static Roofline measure(CpuBackend backend, Cpu cpu) {
    int threads = backend.threads();
    List<Level> levels = new ArrayList<>();
    long largest = 0;
    for (Cpu.Cache cache : cpu.caches()) {
      // The last level is shared by all threads. A thread copies between two blocks. They take a quarter of what it
      // has, which two hardware threads may share even where a virtual machine does not say so.
      boolean shared = cache.name().equals("L3");
      long own = shared ? cache.bytes() / threads : cache.bytes();
      levels.add(new Level(cache.name(), own * threads, backend.measureCopy(own / 8, SECONDS)));
      largest = cache.bytes();
    }
    long total = Math.min(MAX_MEMORY_BYTES, Math.max(MEMORY_BYTES, 4 * largest));
    levels.add(new Level("memory", Long.MAX_VALUE, backend.measureCopy(total / 2 / threads, SECONDS)));
    return new Roofline("FMA", backend.measureFma(SECONDS), measureCall(backend, threads), List.copyOf(levels),
        Float.BYTES);
  }

  private static double measureCall(Backend backend, int rows) {
    Shape shape = Shape.of(rows, 8);
    Recording chain = Recording.of(shape, Set.of("means"), Roofline::recordMeans);
    try (Program program = backend.compile(chain)) {
      double best = Double.MAX_VALUE;
      for (int i = 0; i < CALL_ROUNDS; i++) {
        long start = System.nanoTime();
        program.run();
        best = Math.min(best, (System.nanoTime() - start) / 1e9 / CALLS);
      }
      return best;
    }
  }

  private static void recordMeans(Recorder recorder) {
    Tensor rows = recorder.input();
    for (int i = 0; i < CALLS; i++) {
      rows = recorder.record("mean", new MeanPool(), rows);
    }
    recorder.output("means", rows);
  }

  /** The bandwidth of the fastest level that holds so much. */
  double bytesPerSecond(long bytes) {
    return levels.stream().filter(level -> level.bytes() >= bytes).findFirst().orElseThrow().bytesPerSecond();
  }
}
