package io.vertebra.cpu;

import io.vertebra.backend.WeightStore;
import io.vertebra.tensor.VertebraException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicLong;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;

/** A block of native memory with an explicit end of life. Not thread-safe; {@link #close} is idempotent. */
final class NativeMemory implements WeightStore.Block {
  private static final AtomicLong ALLOCATED = new AtomicLong();

  /** Compiled ones take 32 bytes or more; the call back takes some 3 KB. */
  private static final int STACK_FRAMES = 256;

  private final long bytes;
  private long address;

  NativeMemory(long bytes) {
    this.bytes = bytes;
    this.address = Native.vtb_alloc(bytes);
    if (address == 0) {
      throw new VertebraException("out of native memory: " + bytes + " bytes wanted, " + ALLOCATED.get() + " held");
    }
    ALLOCATED.addAndGet(bytes);
  }

  static NativeMemory of(float[] values) {
    NativeMemory memory = new NativeMemory((long) values.length * Float.BYTES);
    buffer(memory).asFloatBuffer().put(values);
    return memory;
  }

  static NativeMemory of(int[] values) {
    NativeMemory memory = new NativeMemory((long) values.length * Integer.BYTES);
    buffer(memory).asIntBuffer().put(values);
    return memory;
  }

  /** Bytes all blocks alive hold together. */
  static long allocated() {
    return ALLOCATED.get();
  }

  @Override
  public long address() {
    return address;
  }

  @Override
  public long bytes() {
    return bytes;
  }

  /** A view of a part; it must not be used after {@link #close}. */
  ByteBuffer buffer(long offset, long length) {
    return view(address + offset, length);
  }

  /** A view of all of a block; it must not be used after the block is closed. */
  static ByteBuffer buffer(WeightStore.Block block) {
    return view(block.address(), block.bytes());
  }

  private static ByteBuffer view(long address, long length) {
    requireStack(STACK_FRAMES);
    return at(address, length).asByteBuffer().order(ByteOrder.nativeOrder());
  }

  /**
   * Overflows the stack here if it is about to: making a buffer calls Java from native code, and where the stack
   * overflows in there, JavaCPP goes on with a null and takes the process down.
   */
  private static int requireStack(int frames) {
    return frames == 0 ? 0 : 1 + requireStack(frames - 1);
  }

  /** A pointer that owns nothing. */
  static Pointer at(long address, long length) {
    return new View(address, length);
  }

  @Override
  public void close() {
    if (address != 0) {
      Native.vtb_free(address);
      address = 0;
      ALLOCATED.addAndGet(-bytes);
    }
  }

  private static final class View extends BytePointer {
    View(long address, long length) {
      super((Pointer) null);
      this.address = address;
      this.limit = length;
      this.capacity = length;
    }
  }
}
