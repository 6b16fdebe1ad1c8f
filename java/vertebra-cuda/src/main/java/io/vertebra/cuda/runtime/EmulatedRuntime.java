package io.vertebra.cuda.runtime;

import io.vertebra.cuda.natives.Native;
import io.vertebra.cuda.natives.NativeConfig;
import io.vertebra.tensor.VertebraException;
import java.nio.ByteBuffer;

/**
 * The emulator as a device: the same kernels compiled for the host, and a plain product for cuBLAS. It is slow, and
 * strict where a GPU lets mistakes pass: memory never written is NaN, and freed or foreign memory, reads by the host
 * during a capture and what {@link GpuStream#expectWrites} did not announce are errors. TF32 products are computed in
 * fp32.
 *
 * <p>All instances share the one device of the process, with its memory.
 */
public final class EmulatedRuntime implements GpuRuntime {
  /** As an A100 has: it matters for grids alone. */
  private static final int MULTIPROCESSORS = 108;
  private static final VertebraException FAILURE = tryLoad();

  private final PinnedMemory pinned = new PinnedMemory();

  /** @throws VertebraException if the emulator's library does not load */
  public EmulatedRuntime() {
    if (FAILURE != null) {
      throw new VertebraException(FAILURE.getMessage(), FAILURE);
    }
  }

  private static VertebraException tryLoad() {
    try {
      NativeConfig.LIBRARY.link(Native.class);
      Native.vtbe_memory_total();
      return null;
    } catch (VertebraException e) {
      return e;
    } catch (LinkageError | IllegalCallerException e) {
      return NativeConfig.LIBRARY.failure(e);
    }
  }

  @Override
  public String describe() {
    return "CUDA emulator on the CPU (sm_80, slow)";
  }

  @Override
  public long memoryTotal() {
    return Native.vtbe_memory_total();
  }

  /** Sets the memory of the process's device, initially 8 GiB; what is allocated stays. */
  public void setMemoryTotal(long bytes) {
    Native.vtbe_set_memory_total(bytes);
  }

  /** Bytes of device memory allocated at present, by all of the process. */
  public long memoryUsed() {
    return Native.vtbe_memory_used();
  }

  @Override
  public int multiprocessors() {
    return MULTIPROCESSORS;
  }

  /** Small: nothing depends on it, and what is measured with it is to be quick. */
  @Override
  public int cacheBytes() {
    return 1 << 20;
  }

  @Override
  public long allocate(long bytes) {
    return created(Native.vtbe_alloc(bytes), "device memory");
  }

  @Override
  public void free(long memory) {
    check(Native.vtbe_free(memory));
  }

  @Override
  public ByteBuffer allocateHost(long bytes) {
    return pinned.allocate(bytes);
  }

  @Override
  public void freeHost(ByteBuffer memory) {
    pinned.free(memory);
  }

  @Override
  public void copyIn(long to, ByteBuffer from) {
    check(Native.vtbe_copy_in(to, PinnedMemory.address(from), from.remaining()));
  }

  @Override
  public void copyOut(ByteBuffer to, long from) {
    check(Native.vtbe_copy_out(PinnedMemory.address(to), from, to.remaining()));
  }

  @Override
  public GpuKernel kernel(String name) {
    return EmulatedKernel.named(name);
  }

  @Override
  public GpuStream newStream() {
    return new EmulatedStream(created(Native.vtbe_stream_create(), "a stream"), pinned);
  }

  /** Nothing to do: the device is the process's. */
  @Override
  public void close() {}

  static void check(int status) {
    if (status != Native.VTBE_OK) {
      throw new VertebraException("the CUDA emulator: " + Native.vtbe_last_error());
    }
  }

  /** @return the handle, if it is one */
  static long created(long handle, String what) {
    if (handle == 0) {
      throw new VertebraException("the CUDA emulator gives no " + what + ": " + Native.vtbe_last_error());
    }
    return handle;
  }
}
