package io.vertebra.cuda.runtime;

import java.nio.ByteBuffer;

/**
 * A CUDA device as the backend sees it: what it uses of the driver API and of cuBLAS. Implemented by the driver
 * ({@code DriverRuntime}) and by the emulator ({@code EmulatedRuntime}). Device memory is an address in a {@code long}.
 *
 * <p>Thread-safe; a {@link GpuStream} serves one thread at a time. Every method that fails throws a
 * {@link io.vertebra.tensor.VertebraException} that names what failed and what to do.
 */
public interface GpuRuntime extends AutoCloseable {
  /** The device and the versions in use, for people: {@code NVIDIA H100 80GB HBM3 (sm_90), driver 13.0}. */
  String describe();

  /** Device memory in bytes. */
  long memoryTotal();

  /** Number of streaming multiprocessors. */
  int multiprocessors();

  /** Bytes of the L2 cache. */
  int cacheBytes();

  /**
   * The most dynamic shared memory, in bytes, that {@link GpuKernel#allowShared} grants; by default that of compute
   * capability 8.0.
   */
  default int sharedMemory() {
    return 163 << 10;
  }

  /** Device memory that a stream holds once it has been given a product. */
  default long productWorkspaceBytes() {
    return 0;
  }

  /**
   * Device memory, aligned to 256 bytes, with any contents.
   *
   * @param bytes at least 1
   */
  long allocate(long bytes);

  /** Frees what {@link #allocate} gave; 0 is allowed. */
  void free(long memory);

  /** Pinned host memory, as a direct buffer in native order. */
  ByteBuffer allocateHost(long bytes);

  /** Frees what {@link #allocateHost} gave. */
  void freeHost(ByteBuffer memory);

  /** Copies all of a direct buffer, from position to limit, before it returns: for weights. */
  void copyIn(long to, ByteBuffer from);

  /**
   * Fills a direct buffer, from position to limit, before it returns. Work of streams that is not done may be missed.
   */
  void copyOut(ByteBuffer to, long from);

  /**
   * The kernel of this name, such as {@code vtb_softmax_f32}.
   *
   * @throws IllegalArgumentException if there is none
   */
  GpuKernel kernel(String name);

  GpuStream newStream();

  @Override
  void close();
}
