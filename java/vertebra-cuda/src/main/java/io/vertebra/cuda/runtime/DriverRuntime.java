package io.vertebra.cuda.runtime;

import io.vertebra.VertebraException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUfunction;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;

/**
 * An NVIDIA GPU, through the CUDA driver API and cuBLAS. Uses the device's primary context, which it makes current on every thread that
 * calls.
 */
public final class DriverRuntime implements GpuRuntime {
  private static boolean initialised;

  private final CUdevice device;
  private final String name;
  private final int capability;
  private final int driver;
  private final CUcontext context = new CUcontext();
  private final CUmodule module = new CUmodule();
  private final CUstream copies;
  private final Map<String, DriverKernel> kernels = new ConcurrentHashMap<>();
  private volatile boolean closed;

  /**
   * Opens a device.
   *
   * @param ordinal from 0, in the order of {@link #devices}
   * @throws VertebraException if there is no such device, or if the driver or the GPU is too old for the kernels
   */
  public DriverRuntime(int ordinal) {
    this(ordinal, FatBinary.load());
  }

  DriverRuntime(int ordinal, FatBinary binary) {
    initialise();
    int count = count();
    if (ordinal < 0 || ordinal >= count) {
      throw new VertebraException("there is no device cuda:" + ordinal + "; this machine has "
          + devices().stream().collect(Collectors.joining(", ")));
    }
    device = device(ordinal);
    name = name(device);
    capability = capability(device);
    driver = driverVersion();
    if (capability < FatBinary.LEAST_CAPABILITY) {
      throw new VertebraException("cuda:" + ordinal + ", " + name + ", has compute capability " + capability / 10 + "." + capability % 10
          + "; the kernels need 8.0 or later (Ampere and newer). Use the CPU instead");
    }
    CudaStatus.driver("opening " + name, () -> JCudaDriver.cuDevicePrimaryCtxRetain(context, device));
    try {
      current();
      // With direct buffers alone: an array would keep the garbage collector waiting while the driver compiles.
      Pointer noOptions = Pointer.to(ByteBuffer.allocateDirect(Long.BYTES));
      String error = CudaStatus.driverError(
          () -> JCudaDriver.cuModuleLoadDataEx(module, Pointer.to(binary.contents()), 0, new int[0], noOptions));
      if (error != null) {
        throw binary.refused(name, capability, driver, error);
      }
      copies = DriverStream.create(this);
    } catch (RuntimeException e) {
      JCudaDriver.cuDevicePrimaryCtxRelease(device);
      throw e;
    }
  }

  /**
   * The machine's NVIDIA GPUs, for people: {@code cuda:0 NVIDIA H100 80GB HBM3 (sm_90), 79.1 GiB}.
   *
   * @throws VertebraException if there is none, or no driver
   */
  public static List<String> devices() {
    initialise();
    List<String> devices = new ArrayList<>();
    for (int i = 0; i < count(); i++) {
      CUdevice device = device(i);
      devices.add("cuda:" + i + " " + name(device) + " (sm_" + capability(device) + "), " + gibibytes(memory(device)));
    }
    return devices;
  }

  private static synchronized void initialise() {
    if (initialised) {
      return;
    }
    JCudaLibrary.extract("JCudaDriver");
    try {
      JCudaDriver.setExceptionsEnabled(true);
    } catch (LinkageError e) {
      throw noDriver(e);
    }
    CudaStatus.driver("starting CUDA", () -> JCudaDriver.cuInit(0));
    if (count() == 0) {
      throw CudaStatus.failure("looking for a GPU", CUresult.stringFor(CUresult.CUDA_ERROR_NO_DEVICE));
    }
    initialised = true;
  }

  private static VertebraException noDriver(LinkageError error) {
    // The first attempt in a JVM tells why; later ones tell that there was one.
    String message = String.valueOf(error.getMessage());
    if (message.contains("libcuda.so.1") || error instanceof NoClassDefFoundError) {
      return new VertebraException("there is no NVIDIA driver: libcuda.so.1 cannot be found or loaded. Install the driver (it brings nvidia-smi"
          + " along); in a container, start it with --gpus all", error);
    }
    return new VertebraException("JCuda's native library cannot be loaded (it needs the artifact jcuda-natives with classifier linux-x86_64 on"
        + " the class path, and a writable java.io.tmpdir): " + message, error);
  }

  private static int count() {
    int[] count = new int[1];
    CudaStatus.driver("counting the GPUs", () -> JCudaDriver.cuDeviceGetCount(count));
    return count[0];
  }

  private static CUdevice device(int ordinal) {
    CUdevice device = new CUdevice();
    CudaStatus.driver("looking at cuda:" + ordinal, () -> JCudaDriver.cuDeviceGet(device, ordinal));
    return device;
  }

  private static String name(CUdevice device) {
    byte[] name = new byte[256];
    CudaStatus.driver("asking for a GPU's name", () -> JCudaDriver.cuDeviceGetName(name, name.length, device));
    int length = 0;
    while (length < name.length && name[length] != 0) {
      length++;
    }
    return new String(name, 0, length, StandardCharsets.UTF_8);
  }

  private static int capability(CUdevice device) {
    return 10 * attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
        + attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  }

  private static int attribute(CUdevice device, int attribute) {
    int[] value = new int[1];
    CudaStatus.driver("asking for an attribute of a GPU", () -> JCudaDriver.cuDeviceGetAttribute(value, attribute, device));
    return value[0];
  }

  private static long memory(CUdevice device) {
    long[] bytes = new long[1];
    CudaStatus.driver("asking for a GPU's memory", () -> JCudaDriver.cuDeviceTotalMem(bytes, device));
    return bytes[0];
  }

  private static int driverVersion() {
    int[] version = new int[1];
    CudaStatus.driver("asking for the driver's version", () -> JCudaDriver.cuDriverGetVersion(version));
    return version[0];
  }

  @Override
  public String describe() {
    return name + " (sm_" + capability + "), driver of CUDA " + FatBinary.version(driver);
  }

  @Override
  public long memoryTotal() {
    return memory(device);
  }

  @Override
  public int multiprocessors() {
    return attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  }

  @Override
  public int cacheBytes() {
    return attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
  }

  @Override
  public int sharedMemory() {
    return attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
  }

  /** Makes the context current on this thread. */
  void current() {
    if (closed) {
      throw new IllegalStateException("this CUDA runtime is closed");
    }
    CudaStatus.driver("entering the CUDA context", () -> JCudaDriver.cuCtxSetCurrent(context));
  }

  @Override
  public long allocate(long bytes) {
    current();
    DeviceAddress memory = new DeviceAddress();
    String error = CudaStatus.driverError(() -> JCudaDriver.cuMemAlloc(memory, bytes));
    if (error == null) {
      return memory.value();
    }
    if (!error.equals(CUresult.stringFor(CUresult.CUDA_ERROR_OUT_OF_MEMORY))) {
      throw CudaStatus.failure("allocating " + bytes + " bytes of device memory", error);
    }
    long[] free = new long[1];
    long[] total = new long[1];
    CudaStatus.driver("asking for free memory", () -> JCudaDriver.cuMemGetInfo(free, total));
    throw new VertebraException("the memory of " + name + " is out: " + gibibytes(bytes) + " wanted, " + gibibytes(free[0]) + " of "
        + gibibytes(total[0]) + " free. Use a smaller batch, or close other sessions, and other processes that nvidia-smi lists");
  }

  private static String gibibytes(long bytes) {
    return String.format(Locale.ROOT, bytes < 1 << 30 ? "%.1f MiB" : "%.1f GiB", bytes / (double) (bytes < 1 << 30 ? 1 << 20 : 1 << 30));
  }

  @Override
  public void free(long memory) {
    if (memory != 0) {
      current();
      CudaStatus.driver("freeing device memory", () -> JCudaDriver.cuMemFree(new DeviceAddress(memory)));
    }
  }

  @Override
  public ByteBuffer allocateHost(long bytes) {
    current();
    return HostMemory.allocate(bytes).buffer();
  }

  @Override
  public void freeHost(ByteBuffer memory) {
    current();
    CudaStatus.driver("freeing pinned host memory", () -> JCudaDriver.cuMemFreeHost(Pointer.to(memory)));
  }

  // A stream of its own, since a copy on the default stream may return before the bytes have arrived, and other streams do not wait for it.
  @Override
  public synchronized void copyIn(long to, ByteBuffer from) {
    current();
    CudaStatus.driver(() -> "copying " + from.remaining() + " bytes to the GPU",
        () -> JCudaDriver.cuMemcpyHtoDAsync(new DeviceAddress(to), remaining(from), from.remaining(), copies));
    CudaStatus.driver("copying to the GPU", () -> JCudaDriver.cuStreamSynchronize(copies));
  }

  @Override
  public synchronized void copyOut(ByteBuffer to, long from) {
    current();
    CudaStatus.driver(() -> "copying " + to.remaining() + " bytes from the GPU",
        () -> JCudaDriver.cuMemcpyDtoHAsync(remaining(to), new DeviceAddress(from), to.remaining(), copies));
    CudaStatus.driver("copying from the GPU", () -> JCudaDriver.cuStreamSynchronize(copies));
  }

  /** The part of a direct buffer from its position on. */
  static Pointer remaining(ByteBuffer buffer) {
    if (!buffer.isDirect()) {
      throw new IllegalArgumentException("copies to and from the GPU need direct buffers");
    }
    return Pointer.to(buffer.slice());
  }

  @Override
  public GpuKernel kernel(String name) {
    current();
    return kernels.computeIfAbsent(name, this::find);
  }

  private DriverKernel find(String name) {
    CUfunction function = new CUfunction();
    String error = CudaStatus.driverError(() -> JCudaDriver.cuModuleGetFunction(function, module, name));
    if (error == null) {
      return new DriverKernel(name, function);
    }
    if (error.equals(CUresult.stringFor(CUresult.CUDA_ERROR_NOT_FOUND))) {
      throw new IllegalArgumentException("there is no kernel " + name);
    }
    throw CudaStatus.failure("finding the kernel " + name, error);
  }

  @Override
  public GpuStream newStream() {
    return new DriverStream(this);
  }

  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    current();
    closed = true;
    CudaStatus.driver("closing a stream", () -> JCudaDriver.cuStreamDestroy(copies));
    CudaStatus.driver("unloading the kernels", () -> JCudaDriver.cuModuleUnload(module));
    CudaStatus.driver("closing " + name, () -> JCudaDriver.cuDevicePrimaryCtxRelease(device));
  }

  /** A function of the module. */
  final class DriverKernel implements GpuKernel {
    private final String name;
    final CUfunction function;

    DriverKernel(String name, CUfunction function) {
      this.name = name;
      this.function = function;
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public void allowShared(int bytes) {
      current();
      CudaStatus.driver(() -> "allowing " + name + " " + bytes + " bytes of shared memory", () -> JCudaDriver.cuFuncSetAttribute(function,
          CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes));
    }
  }
}
