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
  private final CUstream stream = new CUstream();
  private Cublas cublas;

  /** The launch's arguments, packed as the kernel's parameters are, and how many bytes they take. */
  private final ByteBuffer arguments = ByteBuffer.allocateDirect(PARAMETERS_LIMIT).order(ByteOrder.nativeOrder());
  private final LongBuffer argumentBytes = ByteBuffer.allocateDirect(Long.BYTES).order(ByteOrder.nativeOrder()).asLongBuffer();
  private final Pointer parameters = Pointer.to(JCudaDriver.CU_LAUNCH_PARAM_BUFFER_POINTER, Pointer.to(arguments),
      JCudaDriver.CU_LAUNCH_PARAM_BUFFER_SIZE, Pointer.to(argumentBytes), JCudaDriver.CU_LAUNCH_PARAM_END);

  DriverStream(DriverRuntime runtime) {
    this.runtime = runtime;
    runtime.current();
    CudaStatus.driver("making a stream", () -> JCudaDriver.cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING));
  }

  @Override
  public void copyIn(long to, ByteBuffer from) {
    runtime.current();
    CudaStatus.driver(() -> "copying " + from.remaining() + " bytes to the GPU",
        () -> JCudaDriver.cuMemcpyHtoDAsync(new DeviceAddress(to), DriverRuntime.remaining(from), from.remaining(), stream));
  }

  @Override
  public void copyOut(ByteBuffer to, long from) {
    runtime.current();
    CudaStatus.driver(() -> "copying " + to.remaining() + " bytes from the GPU",
        () -> JCudaDriver.cuMemcpyDtoHAsync(DriverRuntime.remaining(to), new DeviceAddress(from), to.remaining(), stream));
  }

  @Override
  public void copy(long to, long from, long bytes) {
    runtime.current();
    CudaStatus.driver(() -> "copying " + bytes + " bytes on the GPU",
        () -> JCudaDriver.cuMemcpyDtoDAsync(new DeviceAddress(to), new DeviceAddress(from), bytes, stream));
  }

  @Override
  public void launch(GpuLaunch launch) {
    runtime.current();
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
    runtime.current();
    if (cublas == null) {
      cublas = new Cublas(runtime, stream);
    }
    cublas.multiply(product);
  }

  @Override
  public void synchronize() {
    runtime.current();
    CudaStatus.driver("waiting for the GPU", () -> JCudaDriver.cuStreamSynchronize(stream));
  }

  @Override
  public void beginCapture() {
    runtime.current();
    CudaStatus.driver("beginning a capture",
        () -> JCudaDriver.cuStreamBeginCapture(stream, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
  }

  @Override
  public GpuGraph endCapture() {
    runtime.current();
    CUgraph graph = new CUgraph();
    CudaStatus.driver("ending a capture", () -> JCudaDriver.cuStreamEndCapture(stream, graph));
    return new DriverGraph(graph);
  }

  @Override
  public void launch(GpuGraph graph) {
    runtime.current();
    CudaStatus.driver("launching a graph", () -> JCudaDriver.cuGraphLaunch(((DriverGraph) graph).executable, stream));
  }

  @Override
  public GpuEvent newEvent() {
    return new DriverEvent();
  }

  @Override
  public void record(GpuEvent event) {
    runtime.current();
    CudaStatus.driver("recording an event", () -> JCudaDriver.cuEventRecord(((DriverEvent) event).event, stream));
  }

  @Override
  public void close() {
    runtime.current();
    if (cublas != null) {
      cublas.close();
    }
    CudaStatus.driver("closing a stream", () -> JCudaDriver.cuStreamDestroy(stream));
  }

  private final class DriverGraph implements GpuGraph {
    private final int size;
    final CUgraphExec executable = new CUgraphExec();

    DriverGraph(CUgraph graph) {
      try {
        long[] nodes = new long[1];
        CudaStatus.driver("counting a graph's nodes", () -> JCudaDriver.cuGraphGetNodes(graph, null, nodes));
        size = Math.toIntExact(nodes[0]);
        CudaStatus.driver("making a graph of " + size + " nodes ready", () -> JCudaDriver.cuGraphInstantiate(executable, graph, 0));
      } finally {
        JCudaDriver.cuGraphDestroy(graph);
      }
    }

    @Override
    public int size() {
      return size;
    }

    @Override
    public void close() {
      runtime.current();
      CudaStatus.driver("freeing a graph", () -> JCudaDriver.cuGraphExecDestroy(executable));
    }
  }

  private final class DriverEvent implements GpuEvent {
    final CUevent event = new CUevent();

    DriverEvent() {
      runtime.current();
      CudaStatus.driver("making an event", () -> JCudaDriver.cuEventCreate(event, CUevent_flags.CU_EVENT_DEFAULT));
    }

    @Override
    public double since(GpuEvent earlier) {
      runtime.current();
      float[] milliseconds = new float[1];
      CudaStatus.driver("measuring between events",
          () -> JCudaDriver.cuEventElapsedTime(milliseconds, ((DriverEvent) earlier).event, event));
      return milliseconds[0];
    }

    @Override
    public void close() {
      runtime.current();
      CudaStatus.driver("freeing an event", () -> JCudaDriver.cuEventDestroy(event));
    }
  }
}
