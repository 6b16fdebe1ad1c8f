package io.vertebra.cuda;

import io.vertebra.cuda.natives.Native;
import io.vertebra.cuda.natives.vtbc_convert_args;
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
import java.util.function.LongConsumer;
import org.bytedeco.javacpp.Pointer;

/**
 * Takes down what the calls of one program give the device, with the addresses of their operands, and owns the index
 * maps that only this program has. Not thread-safe.
 */
final class LaunchList implements AutoCloseable {
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
  private final boolean counting;
  private long bytes;

  private LaunchList(CudaBackend backend, MemoryPlan plan, long workspace, boolean counting) {
    this.backend = backend;
    this.plan = plan;
    this.workspace = workspace;
    this.counting = counting;
  }

  LaunchList(CudaBackend backend, MemoryPlan plan, long workspace) {
    this(backend, plan, workspace, false);
  }

  /** A list that is not launched: it counts the {@link #bytes} it would hold, and holds none. */
  static LaunchList counting(CudaBackend backend, MemoryPlan plan) {
    return new LaunchList(backend, plan, 0, true);
  }

  /** Begins the list of a call. */
  void begin(Call next) {
    call = next;
    extraBytes = 0;
    works.clear();
  }

  /** What the call gives the device, so far. */
  private Step step() {
    return new Step(call, List.copyOf(works), extraBytes);
  }

  GpuType type() {
    return backend.type();
  }

  /** Launches an operation that writes the call's output alone; frees its arguments. */
  <A extends Pointer> Step launch(Operation<A> operation, A arguments) {
    return launch(operation, arguments, 0);
  }

  /**
   * Launches an operation that writes the call's output and this much of its scratch memory, which it reads as often;
   * frees its arguments.
   */
  <A extends Pointer> Step launch(Operation<A> operation, A arguments, long scratchBytes) {
    for (Operation.Launch launch : operation.launches(backend, arguments)) {
      if (launch.toScratch()) {
        extra(2 * scratchBytes);
        works.add(new Step.Work(launch.launch(), null, scratch(call), scratchBytes));
      } else {
        works.add(new Step.Work(launch.launch(), null, address(call.out()), bytes(call.out())));
      }
    }
    return step();
  }

  /**
   * Launches an operation that writes elsewhere; frees its arguments.
   *
   * @param to where the memory begins that it writes
   * @param bytes of that memory
   */
  <A extends Pointer> Step launch(Operation<A> operation, A arguments, long to, long bytes) {
    operation.launches(backend, arguments)
        .forEach(launch -> works.add(new Step.Work(launch.launch(), null, to, bytes)));
    return step();
  }

  /** {@code to = rows weights^T} by cuBLAS. */
  Step multiply(ProductPlan plan, long rows, long weights, long to) {
    GpuProduct product = new GpuProduct(type(), backend.tf32(), plan.m(), plan.n(), plan.k(), rows, weights, to);
    works.add(new Step.Work(null, product, to, plan.productBytes()));
    return step();
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

  /** The same; 0 if the call needs none. */
  long scratch(Call owner, long bytes) {
    return bytes == 0 ? 0 : scratch(owner);
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
      return allocated(count * type().bytes(), address -> {
        try (GpuStream stream = backend.runtime().newStream()) {
          conversion(backend, false, values(weights), address, count).give(stream, false);
          stream.synchronize();
        }
      });
    });
  }

  /**
   * The work of turning fp32 into elements of a backend's type, another one, or of turning these back.
   *
   * @param count of elements
   */
  static Step.Work conversion(CudaBackend backend, boolean back, long from, long to, long count) {
    vtbc_convert_args arguments
        = new vtbc_convert_args().count(Math.toIntExact(count)).to_f32(back ? 1 : 0).in(from).out(to);
    Operation<vtbc_convert_args> convert = Native::vtbc_convert_launch;
    GpuLaunch launch = convert.launches(backend, arguments).get(0).launch();
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
      return allocated((long) values.length * Integer.BYTES, address -> {
        ByteBuffer host = CudaMemory.hostBuffer((long) values.length * Integer.BYTES);
        host.asIntBuffer().put(values);
        backend.runtime().copyIn(address, host);
      });
    });
  }

  /** Address of memory that {@code filler} fills; 0 if it is only counted. */
  private long allocated(long count, LongConsumer filler) {
    bytes += count;
    if (counting) {
      return 0;
    }
    CudaMemory memory = new CudaMemory(backend.runtime(), count);
    blocks.add(memory);
    filler.accept(memory.address());
    return memory.address();
  }

  /** All calls are taken down: what only served that is forgotten. */
  void finish() {
    uploaded.clear();
    uploadedContents.clear();
  }

  /** Bytes of device memory held, or counted. */
  long bytes() {
    return bytes;
  }

  @Override
  public void close() {
    Closing.all(blocks.stream().<Runnable>map(block -> block::close).toList());
  }
}
