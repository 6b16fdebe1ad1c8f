package io.vertebra.cuda.runtime;

import io.vertebra.tensor.VertebraException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jcuda.Pointer;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/** Pinned host memory; freed by {@link DriverRuntime#freeHost}. */
final class HostMemory extends Pointer {
  private HostMemory() {}

  /** In the context of the calling thread. */
  static HostMemory allocate(long bytes) {
    HostMemory memory = new HostMemory();
    String what = "allocating " + bytes + " bytes of pinned host memory";
    String error = CudaStatus.driverError(() -> JCudaDriver.cuMemHostAlloc(memory, Math.toIntExact(bytes), 0));
    if (error == null) {
      return memory;
    }
    if (error.equals(CUresult.stringFor(CUresult.CUDA_ERROR_OUT_OF_MEMORY))) {
      throw new VertebraException(what + " failed with " + error
          + ": the machine, not the GPU, has no more memory that can be pinned. Use a smaller"
          + " batch, close other sessions, or raise the limit (ulimit -l; a container's memory)");
    }
    throw CudaStatus.failure(what, error);
  }

  long address() {
    return getNativePointer();
  }

  ByteBuffer buffer() {
    return getByteBuffer().order(ByteOrder.nativeOrder());
  }
}
