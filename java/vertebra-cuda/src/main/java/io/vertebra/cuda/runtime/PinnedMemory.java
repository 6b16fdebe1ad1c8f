package io.vertebra.cuda.runtime;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import org.bytedeco.javacpp.BytePointer;

/** The host memory that the emulator's streams may copy from and to. Thread-safe. */
final class PinnedMemory {
  /** By address; they are kept alive until they are freed, since captured copies hold their addresses alone. */
  private final ConcurrentSkipListMap<Long, ByteBuffer> buffers = new ConcurrentSkipListMap<>();

  ByteBuffer allocate(long bytes) {
    ByteBuffer buffer = ByteBuffer.allocateDirect(Math.toIntExact(bytes)).order(ByteOrder.nativeOrder());
    buffers.put(address(buffer), buffer);
    return buffer.duplicate().order(ByteOrder.nativeOrder());
  }

  void free(ByteBuffer buffer) {
    if (buffers.remove(address(buffer.duplicate().position(0))) == null) {
      throw new IllegalArgumentException("no pinned memory, or freed before: " + buffer);
    }
  }

  /**
   * The address a buffer's position has.
   *
   * @throws IllegalArgumentException if it is not direct
   */
  static long address(ByteBuffer buffer) {
    if (!buffer.isDirect()) {
      throw new IllegalArgumentException("copies take direct buffers: " + buffer);
    }
    try (BytePointer start = new BytePointer(buffer)) {
      return start.address() + buffer.position();
    }
  }

  /** Whether pinned memory that is not freed holds all these bytes. */
  boolean holds(Range range) {
    Map.Entry<Long, ByteBuffer> block = buffers.floorEntry(range.address());
    return block != null && range.address() + range.bytes() <= block.getKey() + block.getValue().capacity();
  }

  /** A part of host memory. */
  record Range(long address, long bytes) {
    static Range of(ByteBuffer buffer) {
      return new Range(PinnedMemory.address(buffer), buffer.remaining());
    }
  }
}
