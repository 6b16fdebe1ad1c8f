package io.vertebra.cuda.runtime;

import java.nio.ByteBuffer;

/** A stream: work is done in the order it is given, without the caller waiting. One thread at a time. */
public interface GpuStream extends AutoCloseable {
  /** @param from pinned memory ({@link GpuRuntime#allocateHost}), read from position to limit when the copy is done */
  void copyIn(long to, ByteBuffer from);

  /** @param to pinned memory, written from position to limit when the copy is done */
  void copyOut(ByteBuffer to, long from);

  /** Between places of the device. */
  void copy(long to, long from, long bytes);

  void launch(GpuLaunch launch);

  void multiply(GpuProduct product);

  /** Waits until all is done. */
  void synchronize();

  /** What follows is noted, not done, until {@link #endCapture}. */
  void beginCapture();

  /** What was noted, ready to be launched. */
  GpuGraph endCapture();

  void launch(GpuGraph graph);

  /** Notes the time once all before is done. */
  void record(GpuEvent event);

  GpuEvent newEvent();

  /**
   * Where a runtime can tell (the emulator), a launch that follows next and changes other bytes of device memory than
   * these fails.
   */
  default void expectWrites(long address, long bytes) {}

  @Override
  void close();

  /** A point in a stream's work. */
  interface GpuEvent extends AutoCloseable {
    /** Milliseconds since an earlier event; both must have been recorded and the stream synchronised since. */
    double since(GpuEvent earlier);

    @Override
    void close();
  }

  /** A captured sequence of work. */
  interface GpuGraph extends AutoCloseable {
    /** Number of kernels, copies and products. */
    int size();

    @Override
    void close();
  }
}
