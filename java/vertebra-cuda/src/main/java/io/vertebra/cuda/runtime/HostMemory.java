package io.vertebra.cuda.runtime;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jcuda.Pointer;
import jcuda.driver.JCudaDriver;

/** Pinned host memory; freed by {@link DriverRuntime#freeHost}. */
final class HostMemory extends Pointer {
  private HostMemory() {}

  /** In the context of the calling thread. */
  static HostMemory allocate(long bytes) {
    HostMemory memory = new HostMemory();
    CudaStatus.driver("allocating " + bytes + " bytes of pinned host memory",
        () -> JCudaDriver.cuMemHostAlloc(memory, Math.toIntExact(bytes), 0));
    return memory;
  }

  long address() {
    return getNativePointer();
  }

  ByteBuffer buffer() {
    return getByteBuffer().order(ByteOrder.nativeOrder());
  }
}
