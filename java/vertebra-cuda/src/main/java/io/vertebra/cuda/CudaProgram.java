package io.vertebra.cuda;

import io.vertebra.backend.Program;
import io.vertebra.cuda.runtime.GpuRuntime;
import io.vertebra.cuda.runtime.GpuStream;
import io.vertebra.cuda.runtime.GpuStream.GpuEvent;
import io.vertebra.cuda.runtime.GpuStream.GpuGraph;
import io.vertebra.cuda.runtime.GpuType;
import io.vertebra.image.Image;
import io.vertebra.program.Cost;
import io.vertebra.program.MemoryPlan;
import io.vertebra.program.Observer;
import io.vertebra.program.Recording;
import io.vertebra.program.op.Call;
import io.vertebra.tensor.Closing;
import io.vertebra.tensor.Tensor;
import io.vertebra.tensor.VertebraException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Launches in a row. The first run gives them to the device one by one; from the second on they are one graph, so that
 * a run is a copy in for each input, the graph, and a copy out for each output. The host's side of both is pinned fp32.
 */
final class CudaProgram extends Program {
  /** As device memory is. */
  private static final int ALIGNMENT = 256;

  private final CudaBackend backend;
  private final CudaPreprocessor preprocessor;
  private final MemoryPlan plan;
  private final Deque<Runnable> frees = new ArrayDeque<>();
  private final CudaMemory workspace;
  private final GpuStream stream;
  private final LaunchList list;
  private final List<Port> inputs = new ArrayList<>();
  private final Map<Tensor, Port> outputs = new LinkedHashMap<>();
  private final List<Step> steps;
  private GpuGraph graph;
  private boolean ran;
  /** Whether the host has the outputs of the last run. */
  private boolean complete;
  /** Elements of the first input's batch that are on the device already. */
  private final BitSet prepared = new BitSet();

  /**
   * Where a tensor meets the host.
   *
   * @param device where its fp32 values lie on the device
   * @param conversion between them and the program's tensor; null in fp32, where they are the same
   */
  private record Port(ByteBuffer bytes, FloatBuffer values, long device, Step.Work conversion) {
    void convert(GpuStream stream, boolean checked) {
      if (conversion != null) {
        conversion.give(stream, checked);
      }
    }
  }

  /**
   * What a run moves and launches, counted without running it.
   *
   * @param launches kernels and products
   * @param products those of cuBLAS
   * @param bytes moved on the device: of every call operands, weights and result once, and what it keeps in scratch
   *   memory or reads of index maps
   * @param leastBytes operands, weights and results alone
   */
  record Traffic(int launches, int products, long bytes, long leastBytes) {}

  /** The backend is released when this is closed. */
  CudaProgram(Recording recording, CudaBackend backend, CudaPreprocessor preprocessor) {
    super(recording, preprocessor);
    this.backend = backend;
    this.preprocessor = preprocessor;
    CudaBinder binder = new CudaBinder(backend, recording.calls());
    this.plan = new MemoryPlan(recording, backend.type().bytes(), ALIGNMENT, binder);
    try {
      this.workspace = own(new CudaMemory(backend.runtime(), plan.bytes()), CudaMemory::close);
      this.stream = own(backend.runtime().newStream(), GpuStream::close);
      this.list = own(new LaunchList(backend, plan, workspace.address()), LaunchList::close);
      recording.inputs().forEach(tensor -> inputs.add(port(tensor, false)));
      recording.outputs().values().forEach(tensor -> outputs.computeIfAbsent(tensor, output -> port(output, true)));
      this.steps = binder.bind(list);
    } catch (RuntimeException | Error e) {
      free();
      throw e;
    }
  }

  /** Frees are in the reverse order. */
  private <T> T own(T resource, Consumer<T> free) {
    frees.push(() -> free.accept(resource));
    return resource;
  }

  private Port port(Tensor tensor, boolean output) {
    GpuRuntime runtime = backend.runtime();
    long count = tensor.shape().elements();
    ByteBuffer bytes = own(runtime.allocateHost(count * Float.BYTES), runtime::freeHost);
    long address = workspace.address() + plan.offset(tensor);
    if (backend.type() == GpuType.F32) {
      return new Port(bytes, bytes.asFloatBuffer(), address, null);
    }
    long staging = own(new CudaMemory(runtime, count * Float.BYTES), CudaMemory::close).address();
    Step.Work conversion = output ? LaunchList.conversion(backend, true, address, staging, count)
        : LaunchList.conversion(backend, false, staging, address, count);
    return new Port(bytes, bytes.asFloatBuffer(), staging, conversion);
  }

  @Override
  protected FloatBuffer inputMemory(int index) {
    if (index == 0) {
      // Who writes raw input means that, not images that were put before it and never ran.
      prepared.clear();
    }
    return inputs.get(index).values;
  }

  @Override
  protected void execute() {
    complete = false;
    try {
      copyIn();
      if (ran && graph == null) {
        tryCapture();
      }
      if (graph == null) {
        give();
      } else {
        stream.launch(graph);
      }
      copyOut();
      stream.synchronize();
      ran = true;
      complete = true;
    } finally {
      // Kernels read weights by address, and they live as long as the recording that this holds.
      Reference.reachabilityFence(this);
    }
  }

  /**
   * Once there is a graph: what a run does between the copies, as that graph or launch by launch; waits until it is
   * done. For measurements.
   */
  void runOnDevice(boolean asGraph) {
    requireOpen();
    if (asGraph) {
      stream.launch(graph);
    } else {
      give();
    }
    stream.synchronize();
  }

  /**
   * Milliseconds of device time that a step takes, on whatever memory holds, again and again as one graph, so that no
   * launch is waited for; what it reads may be in cache. For measurements.
   */
  double milliseconds(int index, int repeats) {
    requireOpen();
    Runnable work = () -> {
      for (int i = 0; i < repeats; i++) {
        steps.get(index).give(stream, false);
      }
    };
    try (GpuGraph repeated = captured(work); GpuEvent start = stream.newEvent(); GpuEvent end = stream.newEvent()) {
      stream.launch(repeated);
      stream.record(start);
      stream.launch(repeated);
      stream.record(end);
      stream.synchronize();
      return end.since(start) / repeats;
    }
  }

  /**
   * Leaves it to the next run where something else in this process has waited for the whole GPU meanwhile, which breaks
   * captures off.
   */
  private void tryCapture() {
    try {
      graph = own(captured(this::give), GpuGraph::close);
    } catch (VertebraException broken) {
      // If there is more to it, the launches say so.
    }
  }

  private GpuGraph captured(Runnable work) {
    stream.beginCapture();
    try {
      work.run();
    } catch (RuntimeException | Error e) {
      try {
        stream.endCapture().close();
      } catch (RuntimeException alsoFailed) {
        e.addSuppressed(alsoFailed);
      }
      throw e;
    }
    return stream.endCapture();
  }

  /** Everything between the copies. */
  private void give() {
    inputs.forEach(port -> port.convert(stream, checked()));
    steps.forEach(step -> step.give(stream, checked()));
    outputs.values().forEach(port -> port.convert(stream, checked()));
  }

  @Override
  protected void execute(Observer observer) {
    complete = false;
    int count = steps.size();
    List<GpuEvent> events = new ArrayList<>();
    try {
      for (int i = 0; i < 2 * count; i++) {
        events.add(stream.newEvent());
      }
      copyIn();
      inputs.forEach(port -> port.convert(stream, checked()));
      for (int i = 0; i < count; i++) {
        Call call = steps.get(i).call();
        observer.before(i, call);
        requireOpen();
        stream.record(events.get(2 * i));
        execute(i);
        stream.record(events.get(2 * i + 1));
        if (observer.readsTensors()) {
          stream.synchronize();
        }
        observer.after(i, call);
      }
      requireOpen();
      outputs.values().forEach(port -> port.convert(stream, checked()));
      copyOut();
      stream.synchronize();
      complete = true;
      for (int i = 0; i < count; i++) {
        observer.timed(i, steps.get(i).call(), events.get(2 * i).since(events.get(0)),
            events.get(2 * i + 1).since(events.get(0)));
      }
    } finally {
      Closing.all(events.stream().<Runnable>map(event -> event::close).toList());
      Reference.reachabilityFence(this);
    }
  }

  @Override
  protected void execute(int index) {
    steps.get(index).give(stream, checked());
  }

  private boolean checked() {
    return backend.options().checksWrites();
  }

  private void copyIn() {
    if (prepared.isEmpty()) {
      inputs.forEach(port -> stream.copyIn(port.device, port.bytes));
      return;
    }
    inputs.stream().skip(1).forEach(port -> stream.copyIn(port.device, port.bytes));
    Port first = inputs.get(0);
    int batch = recording().inputs().get(0).shape().dim(0);
    int size = first.bytes.capacity() / batch;
    for (int i = prepared.nextClearBit(0); i < batch; i = prepared.nextClearBit(i + 1)) {
      stream.copyIn(first.device + (long) i * size, first.bytes.slice(i * size, size));
    }
    prepared.clear();
  }

  @Override
  protected void prepare(int element, Image image) {
    prepared.clear(element);
    long size = (long) preprocessor.recipe().elements() * Float.BYTES;
    preprocessor.apply(image, this, stream, inputs.get(0).device + element * size);
    prepared.set(element);
  }

  private void copyOut() {
    outputs.values().forEach(port -> stream.copyOut(port.bytes, port.device));
  }

  @Override
  protected void copy(Tensor tensor, float[] into, int offset) {
    int count = (int) tensor.shape().elements();
    Port port = outputs.get(tensor);
    if (port != null && complete) {
      port.values.get(0, into, offset, count);
      return;
    }
    stream.synchronize();
    ByteBuffer bytes = CudaMemory.hostBuffer((long) count * backend.type().bytes());
    backend.runtime().copyOut(bytes, workspace.address() + plan.offset(tensor));
    Encoding.decode(bytes, backend.type(), into, offset);
  }

  /** What a run gives the device, call by call. */
  List<Step> steps() {
    return steps;
  }

  Traffic traffic() {
    int launches = 0;
    int products = 0;
    long bytes = 0;
    long least = 0;
    for (Step step : steps) {
      launches += step.works().size();
      products += (int) step.works().stream().filter(work -> work.product() != null).count();
      bytes += step.extraBytes();
      least += Cost.of(step.call(), backend.elementBytes()).bytes();
    }
    for (Port port : ports()) {
      if (port.conversion != null) {
        launches++;
        bytes += port.bytes.capacity() + port.bytes.capacity() / Float.BYTES * backend.type().bytes();
      }
    }
    return new Traffic(launches, products, bytes + least, least);
  }

  private List<Port> ports() {
    List<Port> ports = new ArrayList<>(inputs);
    ports.addAll(outputs.values());
    return ports;
  }

  @Override
  public long workspaceBytes() {
    return bytes(recording(), backend, plan, list, steps);
  }

  /** What {@link #workspaceBytes} would be. */
  static long bytes(Recording recording, CudaBackend backend) {
    CudaBinder binder = new CudaBinder(backend, recording.calls());
    MemoryPlan plan = new MemoryPlan(recording, backend.type().bytes(), ALIGNMENT, binder);
    try (LaunchList list = LaunchList.counting(backend, plan)) {
      return bytes(recording, backend, plan, list, binder.bind(list));
    }
  }

  private static long bytes(Recording recording, CudaBackend backend, MemoryPlan plan, LaunchList list,
      List<Step> steps) {
    boolean products = steps.stream().flatMap(step -> step.works().stream()).anyMatch(work -> work.product() != null);
    long ports = Stream.concat(recording.inputs().stream(), recording.outputs().values().stream().distinct())
        .mapToLong(tensor -> tensor.shape().elements() * Float.BYTES).sum();
    // Pinned memory of the host, and staging memory of the device unless that has fp32 itself.
    return plan.bytes() + list.bytes() + (backend.type() == GpuType.F32 ? ports : 2 * ports)
        + (products ? backend.runtime().productWorkspaceBytes() : 0);
  }

  /** Waits for what the stream was given; nothing once this is closed. */
  void await() {
    if (!frees.isEmpty()) {
      stream.synchronize();
    }
  }

  @Override
  protected void release() {
    Closing.all(List.of(this::await, this::free, backend::release));
  }

  private void free() {
    List<Runnable> all = List.copyOf(frees);
    frees.clear();
    Closing.all(all);
  }
}
