package io.vertebra.cuda.runtime;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import jcuda.driver.CUcontext;
import jcuda.driver.JCudaDriver;

/**
 * A GPU's primary context, which all runtimes of the process share. It is kept until the process ends: to open it anew
 * for the next model takes long.
 *
 * @param capturing held by the thread of a stream that captures, and by whoever does something that waits for all of
 *   the GPU, as cuBLAS does when it starts and ends: the driver would break the capture off
 */
record PrimaryContext(CUcontext handle, ReentrantLock capturing) {
  private static final Map<Integer, PrimaryContext> OPEN = new ConcurrentHashMap<>();

  static PrimaryContext of(DriverDevice device) {
    return OPEN.computeIfAbsent(device.ordinal(), ordinal -> {
      CUcontext handle = new CUcontext();
      CudaStatus.driver("opening " + device.name(),
          () -> JCudaDriver.cuDevicePrimaryCtxRetain(handle, device.handle()));
      return new PrimaryContext(handle, new ReentrantLock());
    });
  }

  /** Does what must not happen while a stream captures. */
  void exclusively(Runnable work) {
    capturing.lock();
    try {
      work.run();
    } finally {
      capturing.unlock();
    }
  }
}
