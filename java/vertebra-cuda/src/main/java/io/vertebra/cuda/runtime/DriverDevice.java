package io.vertebra.cuda.runtime;

import io.vertebra.tensor.VertebraException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/**
 * A GPU as the driver knows it.
 *
 * @param capability its compute capability times ten
 * @param memory in bytes
 */
record DriverDevice(CUdevice handle, int ordinal, String name, int capability, long memory) {
  private static boolean started;

  /**
   * All there are; starts the driver if need be.
   *
   * @throws VertebraException if there is none, or no driver
   */
  static List<DriverDevice> all() {
    start();
    return IntStream.range(0, count()).mapToObj(DriverDevice::of).toList();
  }

  private static DriverDevice of(int ordinal) {
    CUdevice handle = new CUdevice();
    CudaStatus.driver("looking at cuda:" + ordinal, () -> JCudaDriver.cuDeviceGet(handle, ordinal));
    byte[] name = new byte[256];
    CudaStatus.driver("asking for a GPU's name", () -> JCudaDriver.cuDeviceGetName(name, name.length, handle));
    long[] bytes = new long[1];
    CudaStatus.driver("asking for a GPU's memory", () -> JCudaDriver.cuDeviceTotalMem(bytes, handle));
    int capability = 10 * attribute(handle, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
        + attribute(handle, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    return new DriverDevice(handle, ordinal, new String(name, StandardCharsets.UTF_8).split("\0", 2)[0], capability,
        bytes[0]);
  }

  private static synchronized void start() {
    if (started) {
      return;
    }
    try {
      JCudaLibrary.link("JCudaDriver", "jcuda-natives", JCudaDriver.class);
    } catch (VertebraException e) {
      throw e.getMessage().contains("libcuda.so.1") ? noDriver(e) : e;
    }
    JCudaDriver.setExceptionsEnabled(true);
    CudaStatus.driver("starting CUDA", () -> JCudaDriver.cuInit(0));
    if (count() == 0) {
      throw CudaStatus.failure("looking for a GPU", CUresult.stringFor(CUresult.CUDA_ERROR_NO_DEVICE));
    }
    started = true;
  }

  private static VertebraException noDriver(VertebraException cause) {
    return new VertebraException(
        "there is no NVIDIA driver: libcuda.so.1 cannot be found or loaded. Install the driver (it brings nvidia-smi"
            + " along); in a container, start it with --gpus all",
        cause);
  }

  private static int count() {
    int[] count = new int[1];
    CudaStatus.driver("counting the GPUs", () -> JCudaDriver.cuDeviceGetCount(count));
    return count[0];
  }

  /** A number from {@link CUdevice_attribute}. */
  int attribute(int attribute) {
    return attribute(handle, attribute);
  }

  private static int attribute(CUdevice device, int attribute) {
    int[] value = new int[1];
    CudaStatus.driver("asking for an attribute of a GPU",
        () -> JCudaDriver.cuDeviceGetAttribute(value, attribute, device));
    return value[0];
  }

  /** The CUDA version the driver is of: 13010 is 13.1. */
  static int driverVersion() {
    int[] version = new int[1];
    CudaStatus.driver("asking for the driver's version", () -> JCudaDriver.cuDriverGetVersion(version));
    return version[0];
  }

  static String gibibytes(long bytes) {
    return String.format(Locale.ROOT, bytes < 1 << 30 ? "%.1f MiB" : "%.1f GiB",
        bytes / (double) (bytes < 1 << 30 ? 1 << 20 : 1 << 30));
  }

  /** {@code cuda:0 NVIDIA H100 80GB HBM3 (sm_90), 79.1 GiB}. */
  @Override
  public String toString() {
    return "cuda:" + ordinal + " " + name + " (sm_" + capability + "), " + gibibytes(memory);
  }
}
