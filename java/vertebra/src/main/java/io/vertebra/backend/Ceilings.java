package io.vertebra.backend;

import java.util.List;

/**
 * What a device reaches at best, measured.
 *
 * @param peak what reaches {@code flops}: FMA, or cuBLAS
 * @param flops FLOP/s in the backend's precision: on a CPU, of fused multiply-adds in registers, all threads together;
 *   on a GPU, of large products
 * @param levels of memory, the fastest first, the last without limit
 * @param threads that an operation is divided among on the host
 * @param elementBytes of activations and matrices
 */
public record Ceilings(String peak, double flops, List<Level> levels, int threads, int elementBytes) {
  /**
   * A cache, or memory.
   *
   * @param bytes that all threads together can keep in it
   * @param bytesPerSecond read and written when all threads copy inside it
   */
  public record Level(String name, long bytes, double bytesPerSecond) {
    public static Level memory(double bytesPerSecond) {
      return new Level("memory", Long.MAX_VALUE, bytesPerSecond);
    }
  }

  /** The bandwidth of the fastest level that holds so much. */
  public double bytesPerSecond(long bytes) {
    return levels.stream().filter(level -> level.bytes() >= bytes).findFirst().orElseThrow().bytesPerSecond();
  }
}
