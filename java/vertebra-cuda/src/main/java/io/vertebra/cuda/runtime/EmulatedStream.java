package io.vertebra.cuda.runtime;

import io.vertebra.cuda.natives.Native;
import io.vertebra.tensor.VertebraException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** A stream of the emulator: work is done when a call returns, unless the stream captures. */
final class EmulatedStream implements GpuStream {
  private final Handle<Long> stream;
  private final PinnedMemory pinned;
  /** Host memory that the capture's copies use; null while the stream does not capture. */
  private List<PinnedMemory.Range> captured;

  EmulatedStream(long handle, PinnedMemory pinned) {
    this.stream = new Handle<>("stream", handle, Native::vtbe_stream_destroy);
    this.pinned = pinned;
  }

  @Override
  public void copyIn(long to, ByteBuffer from) {
    PinnedMemory.Range range = host(from);
    EmulatedRuntime.check(Native.vtbe_copy_in_async(stream.get(), to, range.address(), range.bytes()));
  }

  @Override
  public void copyOut(ByteBuffer to, long from) {
    PinnedMemory.Range range = host(to);
    EmulatedRuntime.check(Native.vtbe_copy_out_async(stream.get(), range.address(), from, range.bytes()));
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
    EmulatedRuntime.check(Native.vtbe_copy_async(stream.get(), to, from, bytes));
  }

  @Override
  public void launch(GpuLaunch launch) {
    EmulatedKernel kernel = (EmulatedKernel) launch.kernel();
    if (launch.arguments().length != kernel.argumentBytes()) {
      throw new IllegalArgumentException(kernel.name() + " takes a struct of " + kernel.argumentBytes()
          + " bytes, not of " + launch.arguments().length);
    }
    EmulatedRuntime.check(Native.vtbe_launch(stream.get(), kernel.handle(), launch.blocks(), 1, 1, launch.threadsX(),
        launch.threadsY(), 1, launch.sharedBytes(), launch.arguments()));
  }

  @Override
  public void multiply(GpuProduct p) {
    EmulatedRuntime
        .check(Native.vtbe_gemm(stream.get(), p.type().code(), p.m(), p.n(), p.k(), p.rows(), p.weights(), p.out()));
  }

  @Override
  public void synchronize() {
    EmulatedRuntime.check(Native.vtbe_stream_synchronize(stream.get()));
  }

  @Override
  public void beginCapture() {
    EmulatedRuntime.check(Native.vtbe_capture_begin(stream.get()));
    captured = new ArrayList<>();
  }

  @Override
  public GpuGraph endCapture() {
    long graph = EmulatedRuntime.created(Native.vtbe_capture_end(stream.get()), "graph");
    List<PinnedMemory.Range> host = captured;
    captured = null;
    return new Graph(new Handle<>("graph", graph, Native::vtbe_graph_destroy), host);
  }

  @Override
  public void launch(GpuGraph graph) {
    Graph captive = (Graph) graph;
    captive.host().forEach(this::requirePinned);
    EmulatedRuntime.check(Native.vtbe_graph_launch(captive.handle().get(), stream.get()));
  }

  @Override
  public void record(GpuEvent event) {
    EmulatedRuntime.check(Native.vtbe_event_record(((Event) event).handle().get(), stream.get()));
  }

  @Override
  public GpuEvent newEvent() {
    long event = EmulatedRuntime.created(Native.vtbe_event_create(), "event");
    return new Event(new Handle<>("event", event, Native::vtbe_event_destroy));
  }

  @Override
  public void expectWrites(long address, long bytes) {
    EmulatedRuntime.check(Native.vtbe_expect_writes(stream.get(), address, bytes));
  }

  @Override
  public void close() {
    stream.close();
  }

  private record Graph(Handle<Long> handle, List<PinnedMemory.Range> host) implements GpuGraph {
    @Override
    public int size() {
      return Native.vtbe_graph_size(handle.get());
    }

    @Override
    public void close() {
      handle.close();
    }
  }

  private record Event(Handle<Long> handle) implements GpuEvent {
    @Override
    public double since(GpuEvent earlier) {
      return Native.vtbe_event_elapsed(((Event) earlier).handle.get(), handle.get());
    }

    @Override
    public void close() {
      handle.close();
    }
  }
}
