package io.vertebra.cuda.runtime;

import io.vertebra.tensor.Closing;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import jcuda.Pointer;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;

/** A stream of the driver that other streams do not wait for. */
final class DriverStream implements GpuStream {
  /** The most that a kernel takes. */
  private static final int MOST_ARGUMENT_BYTES = 4096;

  private final DriverRuntime runtime;
  private final Handle<CUstream> handle;
  /** From the first product on. */
  private Cublas cublas;

  /** A launch's argument struct, and then its address: the list of a kernel's one parameter. */
  private final ByteBuffer arguments;
  private final Pointer parameters;

  DriverStream(DriverRuntime runtime) {
    this.runtime = runtime;
    this.handle = new Handle<>("stream", create(runtime), this::destroy);
    HostMemory memory = HostMemory.allocate(MOST_ARGUMENT_BYTES + Long.BYTES);
    arguments = memory.buffer().putLong(MOST_ARGUMENT_BYTES, memory.address());
    parameters = memory.withByteOffset(MOST_ARGUMENT_BYTES);
  }

  static CUstream create(DriverRuntime runtime) {
    runtime.current();
    CUstream stream = new CUstream();
    CudaStatus.driver("making a stream",
        () -> JCudaDriver.cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING));
    return stream;
  }

  /** The stream, on a thread that has the context. */
  private CUstream stream() {
    runtime.current();
    return handle.get();
  }

  @Override
  public void copyIn(long to, ByteBuffer from) {
    CUstream stream = stream();
    CudaStatus.driver(() -> "copying " + from.remaining() + " bytes to the GPU", () -> JCudaDriver
        .cuMemcpyHtoDAsync(new DeviceAddress(to), DriverRuntime.remaining(from), from.remaining(), stream));
  }

  @Override
  public void copyOut(ByteBuffer to, long from) {
    CUstream stream = stream();
    CudaStatus.driver(() -> "copying " + to.remaining() + " bytes from the GPU", () -> JCudaDriver
        .cuMemcpyDtoHAsync(DriverRuntime.remaining(to), new DeviceAddress(from), to.remaining(), stream));
  }

  @Override
  public void copy(long to, long from, long bytes) {
    CUstream stream = stream();
    CudaStatus.driver(() -> "copying " + bytes + " bytes on the GPU",
        () -> JCudaDriver.cuMemcpyDtoDAsync(new DeviceAddress(to), new DeviceAddress(from), bytes, stream));
  }

  @Override
  public void launch(GpuLaunch launch) {
    CUstream stream = stream();
    DriverRuntime.DriverKernel kernel = (DriverRuntime.DriverKernel) launch.kernel();
    arguments.put(0, launch.arguments());
    CudaStatus.driver(
        () -> "launching " + kernel.name() + " (" + launch.blocks() + " blocks of " + launch.threadsX() + " x "
            + launch.threadsY() + " threads, " + launch.sharedBytes() + " bytes of shared memory)",
        () -> JCudaDriver.cuLaunchKernel(kernel.function, launch.blocks(), 1, 1, launch.threadsX(), launch.threadsY(),
            1, launch.sharedBytes(), stream, parameters, null));
  }

  @Override
  public void multiply(GpuProduct product) {
    CUstream stream = stream();
    if (cublas == null) {
      cublas = runtime.takeCublas(stream);
    }
    cublas.multiply(product);
  }

  @Override
  public void synchronize() {
    CUstream stream = stream();
    CudaStatus.driver("waiting for the GPU", () -> JCudaDriver.cuStreamSynchronize(stream));
  }

  @Override
  public void beginCapture() {
    CUstream stream = stream();
    ReentrantLock capturing = runtime.capturing();
    capturing.lock();
    try {
      CudaStatus.driver("beginning a capture",
          () -> JCudaDriver.cuStreamBeginCapture(stream, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
    } catch (RuntimeException e) {
      capturing.unlock();
      throw e;
    }
  }

  @Override
  public GpuGraph endCapture() {
    CUstream stream = stream();
    CUgraph graph = new CUgraph();
    try {
      CudaStatus.driver("ending a capture", () -> JCudaDriver.cuStreamEndCapture(stream, graph));
    } finally {
      if (runtime.capturing().isHeldByCurrentThread()) {
        runtime.capturing().unlock();
      }
    }
    return instantiate(graph);
  }

  @Override
  public void launch(GpuGraph graph) {
    CUstream stream = stream();
    CUgraphExec executable = ((Graph) graph).handle.get();
    CudaStatus.driver("launching a graph", () -> JCudaDriver.cuGraphLaunch(executable, stream));
  }

  @Override
  public GpuEvent newEvent() {
    runtime.current();
    CUevent event = new CUevent();
    CudaStatus.driver("making an event", () -> JCudaDriver.cuEventCreate(event, CUevent_flags.CU_EVENT_DEFAULT));
    return new Event(new Handle<>("event", event, this::destroy));
  }

  @Override
  public void record(GpuEvent event) {
    CUstream stream = stream();
    CUevent recorded = ((Event) event).handle.get();
    CudaStatus.driver("recording an event", () -> JCudaDriver.cuEventRecord(recorded, stream));
  }

  @Override
  public void close() {
    handle.close();
  }

  private void destroy(CUstream stream) {
    runtime.current();
    // Another stream may write to the workspace of cuBLAS once this has given it back.
    Closing.all(List.of(() -> CudaStatus.driver("waiting for the GPU", () -> JCudaDriver.cuStreamSynchronize(stream)),
        this::giveBackCublas, () -> runtime.freeHost(arguments),
        () -> CudaStatus.driver("closing a stream", () -> JCudaDriver.cuStreamDestroy(stream))));
  }

  private void giveBackCublas() {
    if (cublas != null) {
      runtime.giveBack(cublas);
    }
  }

  private Graph instantiate(CUgraph graph) {
    try {
      long[] nodes = new long[1];
      CudaStatus.driver("counting a graph's nodes", () -> JCudaDriver.cuGraphGetNodes(graph, null, nodes));
      CUgraphExec executable = new CUgraphExec();
      CudaStatus.driver(() -> "making a graph of " + nodes[0] + " nodes ready",
          () -> JCudaDriver.cuGraphInstantiate(executable, graph, 0));
      return new Graph(new Handle<>("graph", executable, this::destroy), Math.toIntExact(nodes[0]));
    } finally {
      JCudaDriver.cuGraphDestroy(graph);
    }
  }

  private void destroy(CUgraphExec executable) {
    runtime.current();
    CudaStatus.driver("freeing a graph", () -> JCudaDriver.cuGraphExecDestroy(executable));
  }

  private void destroy(CUevent event) {
    runtime.current();
    CudaStatus.driver("freeing an event", () -> JCudaDriver.cuEventDestroy(event));
  }

  private record Graph(Handle<CUgraphExec> handle, int size) implements GpuGraph {
    @Override
    public void close() {
      handle.close();
    }
  }

  private final class Event implements GpuEvent {
    final Handle<CUevent> handle;

    Event(Handle<CUevent> handle) {
      this.handle = handle;
    }

    @Override
    public double since(GpuEvent earlier) {
      runtime.current();
      float[] milliseconds = new float[1];
      CUevent start = ((Event) earlier).handle.get();
      CUevent end = handle.get();
      CudaStatus.driver("measuring between events", () -> JCudaDriver.cuEventElapsedTime(milliseconds, start, end));
      return milliseconds[0];
    }

    @Override
    public void close() {
      handle.close();
    }
  }
}
