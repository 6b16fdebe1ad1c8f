package io.vertebra.cuda;

import io.vertebra.cuda.runtime.GpuKernel;
import io.vertebra.cuda.runtime.GpuLaunch;
import io.vertebra.cuda.runtime.GpuProduct;
import io.vertebra.cuda.runtime.GpuRuntime;
import io.vertebra.cuda.runtime.GpuStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** A device of the size of an H100 that does nothing: programs can be compiled for it, and looked at. */
final class DryRuntime implements GpuRuntime {
  private long next = 256;

  @Override
  public String describe() {
    return "nothing";
  }

  @Override
  public long memoryTotal() {
    return 80L << 30;
  }

  @Override
  public int multiprocessors() {
    return 132;
  }

  @Override
  public int cacheBytes() {
    return 50 << 20;
  }

  @Override
  public int sharedMemory() {
    return 227 << 10;
  }

  @Override
  public long allocate(long bytes) {
    long address = next;
    next += (bytes + 255) & -256;
    return address;
  }

  @Override
  public void free(long memory) {}

  @Override
  public ByteBuffer allocateHost(long bytes) {
    return ByteBuffer.allocateDirect((int) bytes).order(ByteOrder.nativeOrder());
  }

  @Override
  public void freeHost(ByteBuffer memory) {}

  @Override
  public void copyIn(long to, ByteBuffer from) {}

  @Override
  public void copyOut(ByteBuffer to, long from) {}

  @Override
  public GpuKernel kernel(String name) {
    return new GpuKernel() {
      @Override
      public String name() {
        return name;
      }

      @Override
      public void allowShared(int bytes) {}
    };
  }

  @Override
  public GpuStream newStream() {
    return new DryStream();
  }

  @Override
  public void close() {}

  private static final class DryStream implements GpuStream {
    @Override
    public void copyIn(long to, ByteBuffer from) {}

    @Override
    public void copyOut(ByteBuffer to, long from) {}

    @Override
    public void copy(long to, long from, long bytes) {}

    @Override
    public void launch(GpuLaunch launch) {}

    @Override
    public void multiply(GpuProduct product) {}

    @Override
    public void synchronize() {}

    @Override
    public void beginCapture() {}

    @Override
    public GpuGraph endCapture() {
      throw new IllegalStateException("nothing runs on this device, and so nothing is captured");
    }

    @Override
    public void launch(GpuGraph graph) {}

    @Override
    public void record(GpuEvent event) {}

    @Override
    public GpuEvent newEvent() {
      throw new IllegalStateException("nothing runs on this device, and so nothing takes time");
    }

    @Override
    public void close() {}
  }
}
