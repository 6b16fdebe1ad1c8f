package io.vertebra.cuda.runtime;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.util.List;
import jcuda.Pointer;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;

/** A stream of the driver that other streams do not wait for, with a cuBLAS handle of its own. */
final class DriverStream implements GpuStream {
  /** The most bytes that CUDA lets a kernel's parameters take. */
  private static final int PARAMETERS_LIMIT = 4096;

  private final DriverRuntime runtime;
  private final Handle<CUstream> handle;
  private Cublas cublas;

  /** The launch's arguments, packed as the kernel's parameters are, and how many bytes they take. */
  private final ByteBuffer arguments = ByteBuffer.allocateDirect(PARAMETERS_LIMIT).order(ByteOrder.nativeOrder());
  private final LongBuffer argumentBytes = ByteBuffer.allocateDirect(Long.BYTES).order(ByteOrder.nativeOrder()).asLongBuffer();
  private final Pointer parameters = Pointer.to(JCudaDriver.CU_LAUNCH_PARAM_BUFFER_POINTER, Pointer.to(arguments),
      JCudaDriver.CU_LAUNCH_PARAM_BUFFER_SIZE, Pointer.to(argumentBytes), JCudaDriver.CU_LAUNCH_PARAM_END);

  DriverStream(DriverRuntime runtime) {
    this.runtime = runtime;
    this.handle = new Handle<>("stream", create(runtime), this::destroy);
  }

  static CUstream create(DriverRuntime runtime) {
    runtime.current();
    CUstream stream = new CUstream();
    CudaStatus.driver("making a stream", () -> JCudaDriver.cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING));
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
    CudaStatus.driver(() -> "copying " + from.remaining() + " bytes to the GPU",
        () -> JCudaDriver.cuMemcpyHtoDAsync(new DeviceAddress(to), DriverRuntime.remaining(from), from.remaining(), stream));
  }

  @Override
  public void copyOut(ByteBuffer to, long from) {
    CUstream stream = stream();
    CudaStatus.driver(() -> "copying " + to.remaining() + " bytes from the GPU",
        () -> JCudaDriver.cuMemcpyDtoHAsync(DriverRuntime.remaining(to), new DeviceAddress(from), to.remaining(), stream));
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
    pack(kernel.name(), launch.arguments());
    CudaStatus.driver(() -> "launching " + kernel.name() + " (grid " + launch.gridX() + "x" + launch.gridY() + "x" + launch.gridZ() + ", block "
        + launch.blockX() + "x" + launch.blockY() + "x" + launch.blockZ() + ", " + launch.sharedBytes() + " bytes of shared memory)",
        () -> JCudaDriver.cuLaunchKernel(kernel.function, launch.gridX(), launch.gridY(), launch.gridZ(), launch.blockX(), launch.blockY(),
            launch.blockZ(), launch.sharedBytes(), stream, null, parameters));
  }

  private void pack(String kernel, List<Object> values) {
    arguments.clear();
    for (Object value : values) {
      if (value instanceof Long number) {
        arguments.position(arguments.position() + Long.BYTES - 1 & -Long.BYTES).putLong(number);
      } else if (value instanceof Integer number) {
        arguments.putInt(number);
      } else if (value instanceof Float number) {
        arguments.putFloat(number);
      } else {
        throw new IllegalArgumentException(kernel + " cannot take an argument such as " + value);
      }
    }
    argumentBytes.put(0, arguments.position());
  }

  @Override
  public void multiply(GpuProduct product) {
    CUstream stream = stream();
    if (cublas == null) {
      cublas = new Cublas(runtime, stream);
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
    CudaStatus.driver("beginning a capture",
        () -> JCudaDriver.cuStreamBeginCapture(stream, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
  }

  @Override
  public GpuGraph endCapture() {
    CUstream stream = stream();
    CUgraph graph = new CUgraph();
    CudaStatus.driver("ending a capture", () -> JCudaDriver.cuStreamEndCapture(stream, graph));
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
    if (cublas != null) {
      cublas.close();
    }
    CudaStatus.driver("closing a stream", () -> JCudaDriver.cuStreamDestroy(stream));
  }

  private Graph instantiate(CUgraph graph) {
    try {
      long[] nodes = new long[1];
      CudaStatus.driver("counting a graph's nodes", () -> JCudaDriver.cuGraphGetNodes(graph, null, nodes));
      CUgraphExec executable = new CUgraphExec();
      CudaStatus.driver(() -> "making a graph of " + nodes[0] + " nodes ready", () -> JCudaDriver.cuGraphInstantiate(executable, graph, 0));
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
