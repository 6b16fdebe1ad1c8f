package io.vertebra.cuda;

import io.vertebra.Precision;
import io.vertebra.cuda.runtime.GpuProduct;
import io.vertebra.cuda.runtime.GpuRuntime;
import io.vertebra.cuda.runtime.GpuStream;
import io.vertebra.cuda.runtime.GpuStream.GpuEvent;
import io.vertebra.cuda.runtime.GpuType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;

/**
 * What the device gives at most, measured: the best of some runs.
 *
 * @param bytesPerSecond read and written, when memory is copied
 * @param flops of a large product by cuBLAS
 */
record Ceilings(double bytesPerSecond, double flops) {
  private static final int RUNS = 10;

  /** @param edge of the square matrices multiplied; memory of {@code 64 edge^2} bytes is copied */
  static Ceilings measure(GpuRuntime runtime, Precision precision, int edge) {
    GpuType type = precision == Precision.FP16 ? GpuType.F16 : precision == Precision.BF16 ? GpuType.BF16 : GpuType.F32;
    long bytes = 32L * edge * edge;
    long from = runtime.allocate(bytes);
    long to = runtime.allocate(bytes);
    try (GpuStream stream = runtime.newStream()) {
      // Not of zeros, which cost less power; small numbers in any type.
      ByteBuffer values = ByteBuffer.allocateDirect(1 << 20).order(ByteOrder.nativeOrder());
      Random random = new Random(1);
      while (values.hasRemaining()) {
        values.putShort((short) (0x3c00 + random.nextInt(0x200)));
      }
      for (long at = 0; at < bytes; at += values.capacity()) {
        runtime.copyIn(from + at, values.rewind().limit((int) Math.min(values.capacity(), bytes - at)));
      }
      double copy = seconds(stream, () -> stream.copy(to, from, bytes));
      long matrix = (long) edge * edge * type.bytes();
      GpuProduct product = new GpuProduct(type, precision == Precision.TF32, true, false, edge, edge, edge, from, edge, from + matrix, edge, 0, to, edge);
      double multiply = seconds(stream, () -> stream.multiply(product));
      return new Ceilings(2 * bytes / copy, 2.0 * edge * edge * edge / multiply);
    } finally {
      runtime.free(from);
      runtime.free(to);
    }
  }

  private static double seconds(GpuStream stream, Runnable work) {
    double best = Double.MAX_VALUE;
    try (GpuEvent start = stream.newEvent(); GpuEvent end = stream.newEvent()) {
      for (int i = 0; i < RUNS; i++) {
        stream.record(start);
        work.run();
        stream.record(end);
        stream.synchronize();
        best = Math.min(best, end.since(start) / 1e3);
      }
    }
    return best;
  }
}
