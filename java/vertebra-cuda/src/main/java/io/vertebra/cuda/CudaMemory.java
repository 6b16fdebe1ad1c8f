package io.vertebra.cuda;

import io.vertebra.backend.WeightStore;
import io.vertebra.cuda.runtime.GpuRuntime;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** A block of device memory with an explicit end of life. Not thread-safe; {@link #close} is idempotent. */
final class CudaMemory implements WeightStore.Block {
  private final GpuRuntime runtime;
  private final long bytes;
  private long address;

  CudaMemory(GpuRuntime runtime, long bytes) {
    this.runtime = runtime;
    this.bytes = bytes;
    this.address = runtime.allocate(bytes);
  }

  /** Memory with the contents of a direct buffer. */
  static CudaMemory of(GpuRuntime runtime, ByteBuffer contents) {
    CudaMemory memory = new CudaMemory(runtime, contents.remaining());
    try {
      runtime.copyIn(memory.address, contents);
      return memory;
    } catch (RuntimeException | Error e) {
      memory.close();
      throw e;
    }
  }

  /** A direct buffer for so many bytes, as copies to and from the device want it. */
  static ByteBuffer hostBuffer(long bytes) {
    return ByteBuffer.allocateDirect(Math.toIntExact(bytes)).order(ByteOrder.nativeOrder());
  }

  @Override
  public long address() {
    return address;
  }

  @Override
  public long bytes() {
    return bytes;
  }

  @Override
  public void close() {
    if (address != 0) {
      runtime.free(address);
      address = 0;
    }
  }
}
