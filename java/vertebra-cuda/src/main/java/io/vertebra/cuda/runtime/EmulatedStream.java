package io.vertebra.cuda.runtime;

import io.vertebra.tensor.VertebraException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/** A stream of the emulator: work is done when a call returns, unless the stream captures. */
final class EmulatedStream implements GpuStream {
  /** Far more than any kernel has. */
  private static final int MOST_PARAMETERS = 64;

  private final Handle<Long> stream;
  private final PinnedMemory pinned;
  /** The arguments of a launch, 8 bytes each, and then their addresses. */
  private final ByteBuffer parameters
      = ByteBuffer.allocateDirect(2 * MOST_PARAMETERS * Long.BYTES).order(ByteOrder.nativeOrder());
  private final long addresses;
  /** Host memory that the capture's copies use; null while the stream does not capture. */
  private List<PinnedMemory.Range> captured;

  EmulatedStream(long handle, PinnedMemory pinned) {
    this.stream = new Handle<>("stream", handle, Emulator::vtbe_stream_destroy);
    this.pinned = pinned;
    long values = PinnedMemory.address(parameters);
    this.addresses = values + MOST_PARAMETERS * Long.BYTES;
    for (int i = 0; i < MOST_PARAMETERS; i++) {
      parameters.putLong((MOST_PARAMETERS + i) * Long.BYTES, values + i * Long.BYTES);
    }
  }

  @Override
  public void copyIn(long to, ByteBuffer from) {
    PinnedMemory.Range range = host(from);
    EmulatedRuntime.check(Emulator.vtbe_copy_in_async(stream.get(), to, range.address(), range.bytes()));
  }

  @Override
  public void copyOut(ByteBuffer to, long from) {
    PinnedMemory.Range range = host(to);
    EmulatedRuntime.check(Emulator.vtbe_copy_out_async(stream.get(), range.address(), from, range.bytes()));
  }

  private PinnedMemory.Range host(ByteBuffer buffer) {
    PinnedMemory.Range range = PinnedMemory.Range.of(buffer);
    requirePinned(range);
    if (captured != null) {
      captured.add(range);
    }
    return range;
  }

  private void requirePinned(PinnedMemory.Range range) {
    if (!pinned.holds(range)) {
      throw new VertebraException(
          "a stream copies from and to pinned memory alone, which GpuRuntime.allocateHost gives; these " + range.bytes()
              + " bytes are none, or have been freed");
    }
  }

  @Override
  public void copy(long to, long from, long bytes) {
    EmulatedRuntime.check(Emulator.vtbe_copy_async(stream.get(), to, from, bytes));
  }

  @Override
  public void launch(GpuLaunch launch) {
    EmulatedKernel kernel = (EmulatedKernel) launch.kernel();
    kernel.pack(launch.arguments(), parameters);
    EmulatedRuntime.check(Emulator.vtbe_launch(stream.get(), kernel.handle(), launch.gridX(), launch.gridY(),
        launch.gridZ(), launch.blockX(), launch.blockY(), launch.blockZ(), launch.sharedBytes(), addresses));
  }

  @Override
  public void multiply(GpuProduct p) {
    int type = switch (p.type()) {
      case F32 -> Emulator.VTBE_F32;
      case F16 -> Emulator.VTBE_F16;
      case BF16 -> Emulator.VTBE_BF16;
    };
    EmulatedRuntime
        .check(Emulator.vtbe_gemm_strided_batched(stream.get(), p.transposeA() ? 1 : 0, p.transposeB() ? 1 : 0, p.m(),
            p.n(), p.k(), 1, p.a(), type, p.lda(), 0, p.b(), p.ldb(), 0, p.beta(), p.c(), type, p.ldc(), 0, 1));
  }

  @Override
  public void synchronize() {
    EmulatedRuntime.check(Emulator.vtbe_stream_synchronize(stream.get()));
  }

  @Override
  public void beginCapture() {
    EmulatedRuntime.check(Emulator.vtbe_capture_begin(stream.get()));
    captured = new ArrayList<>();
  }

  @Override
  public GpuGraph endCapture() {
    long graph = EmulatedRuntime.created(Emulator.vtbe_capture_end(stream.get()), "graph");
    List<PinnedMemory.Range> host = captured;
    captured = null;
    return new Graph(new Handle<>("graph", graph, Emulator::vtbe_graph_destroy), host);
  }

  @Override
  public void launch(GpuGraph graph) {
    Graph captive = (Graph) graph;
    captive.host().forEach(this::requirePinned);
    EmulatedRuntime.check(Emulator.vtbe_graph_launch(captive.handle().get(), stream.get()));
  }

  @Override
  public void record(GpuEvent event) {
    EmulatedRuntime.check(Emulator.vtbe_event_record(((Event) event).handle().get(), stream.get()));
  }

  @Override
  public GpuEvent newEvent() {
    long event = EmulatedRuntime.created(Emulator.vtbe_event_create(), "event");
    return new Event(new Handle<>("event", event, Emulator::vtbe_event_destroy));
  }

  @Override
  public void expectWrites(long[] starts, long[] bytes) {
    if (starts.length != bytes.length) {
      throw new IllegalArgumentException(starts.length + " addresses, but " + bytes.length + " sizes");
    }
    EmulatedRuntime.check(Emulator.vtbe_expect_writes(stream.get(), starts, bytes, starts.length));
  }

  @Override
  public void close() {
    stream.close();
  }

  private record Graph(Handle<Long> handle, List<PinnedMemory.Range> host) implements GpuGraph {
    @Override
    public int size() {
      return Emulator.vtbe_graph_size(handle.get());
    }

    @Override
    public void close() {
      handle.close();
    }
  }

  private record Event(Handle<Long> handle) implements GpuEvent {
    @Override
    public double since(GpuEvent earlier) {
      return Emulator.vtbe_event_elapsed(((Event) earlier).handle.get(), handle.get());
    }

    @Override
    public void close() {
      handle.close();
    }
  }
}
