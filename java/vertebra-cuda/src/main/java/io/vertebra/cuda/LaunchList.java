package io.vertebra.cuda;

import io.vertebra.cuda.runtime.GpuKernel;
import io.vertebra.cuda.runtime.GpuLaunch;
import io.vertebra.cuda.runtime.GpuProduct;
import io.vertebra.cuda.runtime.GpuStream;
import io.vertebra.cuda.runtime.GpuType;
import io.vertebra.program.MemoryPlan;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.RegionMask;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.Weights;
import io.vertebra.tensor.Closing;
import io.vertebra.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * Takes down what the calls of one program give the device, with the addresses of their operands, and owns the index
 * maps that only this program has. Not thread-safe.
 */
final class LaunchList implements AutoCloseable {
  /** Threads of a block, where nothing else is said. */
  static final int THREADS = 256;

  private final CudaBackend backend;
  private final MemoryPlan plan;
  private final long workspace;
  private final List<CudaMemory> blocks = new ArrayList<>();
  private final Map<Object, Long> uploaded = new IdentityHashMap<>();
  /** Maps of equal contents are one, whatever made them. */
  private final Map<IntBuffer, Long> uploadedContents = new HashMap<>();
  private final List<Step.Work> works = new ArrayList<>();
  private Call call;
  private long extraBytes;

  /** A launch's blocks, the threads of each along x and y, and its dynamic shared memory. */
  record Grid(long blocks, int x, int y, long sharedBytes) {
    static Grid of(long blocks) {
      return new Grid(blocks, THREADS, 1, 0);
    }

    /** Blocks enough to give every item a thread. */
    static Grid forItems(long items) {
      return of(divideUp(items, THREADS));
    }

    Grid shared(long bytes) {
      return new Grid(blocks, x, y, bytes);
    }
  }

  LaunchList(CudaBackend backend, MemoryPlan plan, long workspace) {
    this.backend = backend;
    this.plan = plan;
    this.workspace = workspace;
  }

  static long divideUp(long a, long b) {
    return (a + b - 1) / b;
  }

  /** Begins the list of a call. */
  void begin(Call next) {
    call = next;
    extraBytes = 0;
    works.clear();
  }

  /** What the call gives the device. */
  Step end() {
    return new Step(call, List.copyOf(works), extraBytes);
  }

  GpuType type() {
    return backend.type();
  }

  /** Elements that one access of a thread moves in runs of {@code length}. */
  int vector(long... lengths) {
    int vector = 16 / type().bytes();
    for (long length : lengths) {
      if (length % vector != 0) {
        return 1;
      }
    }
    return vector;
  }

  /** A thread for every vector of a tensor. */
  Grid elementwise(Tensor out) {
    return Grid.forItems(out.shape().elements() / vector(out.shape().channels()));
  }

  /** Launches a kernel of this program's type that writes the call's output. */
  void kernel(String operation, Grid grid, Object... arguments) {
    launch(operation + "_" + type().suffix(), grid, address(call.out()), bytes(call.out()), arguments);
  }

  /**
   * @param to where the memory begins that the kernel writes
   * @param bytes of that memory
   */
  void launch(String name, Grid grid, long to, long bytes, Object... arguments) {
    if (grid.blocks > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          call + " takes " + grid.blocks + " blocks, more than a launch has; run a smaller batch");
    }
    GpuLaunch launch = new GpuLaunch(backend.kernel(name, grid.sharedBytes), (int) grid.blocks, 1, 1, grid.x, grid.y, 1,
        (int) grid.sharedBytes, List.of(arguments));
    works.add(new Step.Work(launch, null, to, bytes));
  }

  /** {@code to = rows weights^T}, all row-major: to cuBLAS, which knows columns only, {@code to^T = weights rows^T}. */
  void multiply(ProductPlan product, long rows, long weights, long to) {
    GpuProduct columns = new GpuProduct(type(), backend.tf32(), true, false, product.n(), product.m(), product.k(),
        weights, product.k(), rows, product.k(), 0, to, product.n());
    works.add(new Step.Work(null, columns, to, product.productBytes()));
  }

  /** Counts bytes moved besides operands, weights and result. */
  void extra(long bytes) {
    extraBytes += bytes;
  }

  /** Address of a tensor; 0 for null. */
  long address(Tensor tensor) {
    return tensor == null ? 0 : workspace + plan.offset(tensor);
  }

  long bytes(Tensor tensor) {
    return tensor.shape().elements() * type().bytes();
  }

  /** Address of a call's scratch memory. */
  long scratch(Call owner) {
    return workspace + plan.scratch(owner);
  }

  long matrix(Weights weights) {
    return backend.matrix(weights);
  }

  /** Address of fp32 values; 0 for null. */
  long values(Weights weights) {
    return backend.values(weights);
  }

  /** Address of values as a kernel reads them beside activations, in their type. */
  long converted(Weights weights) {
    if (type() == GpuType.F32) {
      return values(weights);
    }
    return uploaded.computeIfAbsent(weights, key -> {
      long count = weights.shape().elements();
      CudaMemory memory = keep(new CudaMemory(backend.runtime(), count * type().bytes()));
      try (GpuStream stream = backend.runtime().newStream()) {
        conversion(backend, false, values(weights), memory.address(), count).give(stream, false);
        stream.synchronize();
      }
      return memory.address();
    });
  }

  /**
   * The work of turning fp32 into elements of a backend's type, another one, or of turning these back.
   *
   * @param count of elements
   */
  static Step.Work conversion(CudaBackend backend, boolean back, long from, long to, long count) {
    String suffix = backend.type().suffix();
    GpuKernel kernel = backend.kernel(back ? "vtb_convert_" + suffix + "_f32" : "vtb_convert_f32_" + suffix, 0);
    GpuLaunch launch = new GpuLaunch(kernel, (int) divideUp(count, 8 * THREADS), 1, 1, THREADS, 1, 1, 0,
        List.of(from, to, Math.toIntExact(count)));
    return new Step.Work(launch, null, to, count * (back ? Float.BYTES : backend.type().bytes()));
  }

  /** Address of a map's entries; 0 for null. */
  long upload(RowMap map) {
    if (map == null) {
      return 0;
    }
    extra((long) map.entries() * Integer.BYTES);
    return uploaded.computeIfAbsent(map, key -> upload(map.toArray()));
  }

  /** Address of a mask's labels; 0 for null. */
  long upload(RegionMask mask) {
    if (mask == null) {
      return 0;
    }
    extra((long) mask.windows() * mask.tokens() * Integer.BYTES);
    return uploaded.computeIfAbsent(mask, key -> upload(mask.toArray()));
  }

  private long upload(int[] values) {
    return uploadedContents.computeIfAbsent(IntBuffer.wrap(values), key -> {
      ByteBuffer bytes = CudaMemory.hostBuffer((long) values.length * Integer.BYTES);
      bytes.asIntBuffer().put(values);
      return keep(CudaMemory.of(backend.runtime(), bytes)).address();
    });
  }

  private CudaMemory keep(CudaMemory memory) {
    blocks.add(memory);
    return memory;
  }

  /** All calls are taken down: what only served that is forgotten. */
  void finish() {
    uploaded.clear();
    uploadedContents.clear();
  }

  /** Bytes of device memory held. */
  long bytes() {
    return blocks.stream().mapToLong(CudaMemory::bytes).sum();
  }

  @Override
  public void close() {
    Closing.all(blocks.stream().<Runnable>map(block -> block::close).toList());
  }
}
