package io.vertebra.cuda;

import io.vertebra.cuda.runtime.GpuProduct;
import io.vertebra.cuda.runtime.GpuRuntime;
import io.vertebra.cuda.runtime.GpuStream;
import io.vertebra.cuda.runtime.GpuStream.GpuEvent;
import io.vertebra.cuda.runtime.GpuType;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.FormulaWeights;
import io.vertebra.weights.Parameter;

/** Measures what a device reaches at best, by its own clock. One thread. */
final class Measurements implements AutoCloseable {
  private static final int LEAST_SIDE = 128;
  private static final int LARGEST_SIDE = 8192;
  /** Of values that blocks repeat. */
  private static final Shape PATTERN = Shape.of(1, 1, 128, 128);

  private final GpuRuntime runtime;
  private final GpuStream stream;
  private final GpuEvent start;
  private final GpuEvent end;

  Measurements(GpuRuntime runtime) {
    this.runtime = runtime;
    this.stream = runtime.newStream();
    this.start = stream.newEvent();
    this.end = stream.newEvent();
  }

  /** FLOP/s of the largest square product by cuBLAS that the time allows. */
  double products(GpuType type, boolean tf32, double seconds) {
    double best = 0;
    double took = 0;
    for (int side = LEAST_SIDE; side <= LARGEST_SIDE && 8 * took <= seconds; side *= 2) {
      double flops = 2.0 * side * side * side;
      double rate = products(type, tf32, side, seconds / 8);
      best = Math.max(best, rate);
      took = flops / rate;
    }
    return best;
  }

  private double products(GpuType type, boolean tf32, int side, double seconds) {
    long bytes = (long) side * side * type.bytes();
    try (CudaMemory a = filled(type, bytes);
        CudaMemory b = filled(type, bytes);
        CudaMemory c = new CudaMemory(runtime, bytes)) {
      GpuProduct product = new GpuProduct(type, tf32, side, side, side, a.address(), b.address(), c.address());
      return rate(2.0 * side * side * side, () -> stream.multiply(product), seconds);
    }
  }

  /** Bytes per second, read and written, when a block of so many bytes is copied. */
  double copies(long bytes, double seconds) {
    try (CudaMemory from = filled(GpuType.F32, bytes); CudaMemory to = new CudaMemory(runtime, bytes)) {
      return rate(2.0 * bytes, () -> stream.copy(to.address(), from.address(), bytes), seconds);
    }
  }

  private CudaMemory filled(GpuType type, long bytes) {
    CudaMemory memory = new CudaMemory(runtime, bytes);
    Parameter pattern = Parameter.of("pattern", PATTERN, FormulaWeights.input("pattern", PATTERN));
    try (CudaMemory source = CudaMemory.of(runtime, Encoding.of(pattern, type))) {
      for (long at = 0; at < bytes; at += source.bytes()) {
        stream.copy(memory.address() + at, source.address(), Math.min(source.bytes(), bytes - at));
      }
      stream.synchronize();
    }
    return memory;
  }

  private double rate(double amount, Runnable work, double seconds) {
    work.run();
    for (int count = 1;; count *= 2) {
      stream.record(start);
      for (int i = 0; i < count; i++) {
        work.run();
      }
      stream.record(end);
      stream.synchronize();
      double took = end.since(start) / 1e3;
      if (took >= seconds) {
        return amount * count / took;
      }
    }
  }

  @Override
  public void close() {
    end.close();
    start.close();
    stream.close();
  }
}
