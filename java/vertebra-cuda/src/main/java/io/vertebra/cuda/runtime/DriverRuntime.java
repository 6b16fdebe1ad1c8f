package io.vertebra.cuda.runtime;

import io.vertebra.tensor.Closing;
import io.vertebra.tensor.VertebraException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import jcuda.Pointer;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUfunction;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;

/**
 * An NVIDIA GPU, through the CUDA driver API and cuBLAS. Uses the device's primary context, which it makes current on
 * every thread that calls.
 */
public final class DriverRuntime implements GpuRuntime {
  private final DriverDevice device;
  private final PrimaryContext context;
  private final CUmodule module = new CUmodule();
  private final CUstream copies;
  private final Map<String, DriverKernel> kernels = new ConcurrentHashMap<>();
  /** Those that no stream has. */
  private final Deque<Cublas> spare = new ConcurrentLinkedDeque<>();
  private volatile boolean closed;

  /**
   * Opens a device.
   *
   * @param ordinal from 0, in the order of {@link #devices}
   * @throws VertebraException if there is no such device, or if the driver or the GPU is too old for the kernels
   */
  public DriverRuntime(int ordinal) {
    this(ordinal, FatBinary::load);
  }

  /**
   * @param compiled the kernels, asked for once there is a device for them: whoever lacks that need not know what the
   *   build lacks
   */
  DriverRuntime(int ordinal, Supplier<FatBinary> compiled) {
    List<DriverDevice> devices = DriverDevice.all();
    if (ordinal < 0 || ordinal >= devices.size()) {
      throw new VertebraException(
          "there is no device cuda:" + ordinal + "; this machine has " + String.join(", ", devices()));
    }
    device = devices.get(ordinal);
    if (device.capability() < FatBinary.LEAST_CAPABILITY) {
      throw new VertebraException(
          "cuda:" + ordinal + ", " + device.name() + ", has compute capability " + device.capability() / 10 + "."
              + device.capability() % 10 + "; the kernels need 8.0 or later (Ampere and newer). Use the CPU instead");
    }
    FatBinary binary = compiled.get();
    context = PrimaryContext.of(device);
    current();
    context.exclusively(() -> load(binary));
    try {
      copies = DriverStream.create(this);
    } catch (RuntimeException e) {
      context.exclusively(this::unload);
      throw e;
    }
  }

  private void load(FatBinary binary) {
    // With direct buffers alone: an array would keep the garbage collector waiting while the driver compiles.
    Pointer noOptions = Pointer.to(ByteBuffer.allocateDirect(Long.BYTES));
    String error = CudaStatus.driverError(
        () -> JCudaDriver.cuModuleLoadDataEx(module, Pointer.to(binary.contents()), 0, new int[0], noOptions));
    if (error != null) {
      throw binary.refused(device.name(), device.capability(), DriverDevice.driverVersion(), error);
    }
  }

  private void unload() {
    CudaStatus.driver("unloading the kernels", () -> JCudaDriver.cuModuleUnload(module));
  }

  /**
   * The machine's NVIDIA GPUs, for people: {@code cuda:0 NVIDIA H100 80GB HBM3 (sm_90), 79.1 GiB}.
   *
   * @throws VertebraException if there is none, or no driver
   */
  public static List<String> devices() {
    return DriverDevice.all().stream().map(DriverDevice::toString).toList();
  }

  /** @throws VertebraException if this build has no kernels for GPUs */
  public static void requireKernels() {
    FatBinary.load();
  }

  @Override
  public String describe() {
    return device.name() + " (sm_" + device.capability() + "), driver of CUDA "
        + FatBinary.version(DriverDevice.driverVersion());
  }

  @Override
  public long memoryTotal() {
    return device.memory();
  }

  @Override
  public int multiprocessors() {
    return device.attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  }

  @Override
  public int cacheBytes() {
    return device.attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
  }

  @Override
  public int sharedMemory() {
    return device.attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
  }

  /** Makes the context current on this thread. */
  void current() {
    if (closed) {
      throw new IllegalStateException("this CUDA runtime is closed");
    }
    CudaStatus.driver("entering the CUDA context", () -> JCudaDriver.cuCtxSetCurrent(context.handle()));
  }

  /** {@link PrimaryContext#capturing}. */
  ReentrantLock capturing() {
    return context.capturing();
  }

  /** cuBLAS for a stream, which is to {@link #giveBack give it back}. */
  Cublas takeCublas(CUstream stream) {
    Cublas cublas = spare.poll();
    if (cublas == null) {
      capturing().lock();
      try {
        cublas = new Cublas(this);
      } finally {
        capturing().unlock();
      }
    }
    try {
      cublas.serve(stream);
      return cublas;
    } catch (RuntimeException e) {
      giveBack(cublas);
      throw e;
    }
  }

  /** Once its stream has done all. */
  void giveBack(Cublas cublas) {
    try {
      // Its stream is about to be gone.
      cublas.serve(new CUstream());
    } finally {
      spare.push(cublas);
    }
  }

  @Override
  public long productWorkspaceBytes() {
    return Cublas.WORKSPACE_BYTES;
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
    throw new VertebraException("the memory of " + device.name() + " is out: " + DriverDevice.gibibytes(bytes)
        + " wanted, " + DriverDevice.gibibytes(free[0]) + " of " + DriverDevice.gibibytes(total[0])
        + " free. Use a smaller batch, or close other sessions, and other processes that nvidia-smi lists");
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

  // A stream of its own, since a copy on the default stream may return before the bytes have arrived, and other streams
  // do not wait for it.
  @Override
  public synchronized void copyIn(long to, ByteBuffer from) {
    current();
    try {
      CudaStatus.driver(() -> "copying " + from.remaining() + " bytes to the GPU",
          () -> JCudaDriver.cuMemcpyHtoDAsync(new DeviceAddress(to), remaining(from), from.remaining(), copies));
      CudaStatus.driver("copying to the GPU", () -> JCudaDriver.cuStreamSynchronize(copies));
    } finally {
      Reference.reachabilityFence(from);
    }
  }

  @Override
  public synchronized void copyOut(ByteBuffer to, long from) {
    current();
    try {
      CudaStatus.driver(() -> "copying " + to.remaining() + " bytes from the GPU",
          () -> JCudaDriver.cuMemcpyDtoHAsync(remaining(to), new DeviceAddress(from), to.remaining(), copies));
      CudaStatus.driver("copying from the GPU", () -> JCudaDriver.cuStreamSynchronize(copies));
    } finally {
      Reference.reachabilityFence(to);
    }
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
  public void close() {
    context.exclusively(this::closeOnce);
  }

  private synchronized void closeOnce() {
    if (closed) {
      return;
    }
    current();
    List<Runnable> closing = new ArrayList<>();
    spare.forEach(cublas -> closing.add(cublas::close));
    closing.add(() -> CudaStatus.driver("closing a stream", () -> JCudaDriver.cuStreamDestroy(copies)));
    closing.add(this::unload);
    closing.add(() -> closed = true);
    Closing.all(closing);
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
      CudaStatus.driver(() -> "allowing " + name + " " + bytes + " bytes of shared memory", () -> JCudaDriver
          .cuFuncSetAttribute(function, CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes));
    }
  }
}
