package io.vertebra.program;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Places the tensors of a {@link Recording} in one workspace so that tensors alive at the same time never overlap.
 *
 * <p>Buffers are placed largest first, each at the lowest offset free over its lifetime (greedy by size; Pisarchyk and Lee,
 * "Efficient Memory Management for Deep Neural Net Inference", arXiv 2001.03288). An output takes over the memory of its residual
 * when that is last read there.
 */
public final class MemoryPlan {
  /** Offsets are multiples of this many bytes: a cache line, and a vector of the widest instruction set. */
  public static final int ALIGNMENT = 64;

  private final Map<Tensor, Buffer> buffers = new HashMap<>();
  private long bytes;

  private static final class Buffer {
    long size;
    int first;
    int last;
    long offset = -1;

    boolean overlaps(Buffer other) {
      return first <= other.last && other.first <= last;
    }
  }

  public MemoryPlan(Recording recording) {
    List<Call> calls = recording.calls();
    Map<Tensor, Integer> lastRead = new HashMap<>();
    for (int i = 0; i < calls.size(); i++) {
      for (Tensor read : calls.get(i).reads()) {
        lastRead.put(read, i);
      }
    }
    // The host writes the inputs before the first call and reads outputs after the last one.
    recording.outputs().values().forEach(output -> lastRead.put(output, calls.size()));
    recording.inputs().forEach(input -> define(input, -1, lastRead));
    for (int i = 0; i < calls.size(); i++) {
      Call call = calls.get(i);
      Tensor residual = call.residual();
      if (residual != null && residual != call.in() && lastRead.get(residual) == i) {
        Buffer buffer = buffers.get(residual);
        buffer.last = lastRead.get(call.out());
        buffers.put(call.out(), buffer);
      } else {
        define(call.out(), i, lastRead);
      }
    }
    place();
  }

  private void define(Tensor tensor, int first, Map<Tensor, Integer> lastRead) {
    Buffer buffer = new Buffer();
    buffer.size = Math.multiplyExact(tensor.shape().elements(), (long) Float.BYTES);
    buffer.first = first;
    buffer.last = lastRead.getOrDefault(tensor, first);
    buffers.put(tensor, buffer);
  }

  private void place() {
    List<Buffer> bySize = buffers.values().stream().distinct()
        .sorted(Comparator.<Buffer>comparingLong(buffer -> -buffer.size).thenComparingInt(buffer -> buffer.first)).toList();
    List<Buffer> placed = new ArrayList<>();
    for (Buffer buffer : bySize) {
      long offset = 0;
      for (Buffer other : placed.stream().filter(buffer::overlaps).sorted(Comparator.comparingLong(o -> o.offset)).toList()) {
        if (offset + buffer.size <= other.offset) {
          break;
        }
        offset = Math.max(offset, align(other.offset + other.size));
      }
      buffer.offset = offset;
      placed.add(buffer);
      bytes = Math.max(bytes, align(offset + buffer.size));
    }
  }

  /** Size of the workspace. */
  public long bytes() {
    return bytes;
  }

  /** Byte offset of a tensor in the workspace. */
  public long offset(Tensor tensor) {
    return buffers.get(tensor).offset;
  }

  public static long align(long bytes) {
    return (bytes + ALIGNMENT - 1) & -ALIGNMENT;
  }
}
