package io.vertebra.program;

import io.vertebra.program.op.Call;
import io.vertebra.tensor.Tensor;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Places the tensors of a {@link Recording} in one workspace so that tensors alive at the same time never overlap.
 *
 * <p>Buffers are placed largest first, each at the lowest offset free over its lifetime (greedy by size; Pisarchyk and
 * Lee, "Efficient Memory Management for Deep Neural Net Inference", arXiv 2001.03288). An output takes over the memory
 * of its residual, or of what is scaled and shifted element by element, when that is last read there.
 */
public final class MemoryPlan {
  /** A cache line, and a vector of the widest instruction set. */
  private static final int CPU_ALIGNMENT = 64;

  /** A shape's bytes are less than that, so that sums do not overflow. */
  private static final long MAX_TOTAL = 1L << 62;

  private final int elementBytes;
  private final int alignment;
  private final Map<Tensor, Buffer> buffers = new HashMap<>();
  /** By the calls' outputs. */
  private final Map<Tensor, Buffer> scratch = new HashMap<>();
  private long bytes;
  /** Of all buffers together, which bounds every offset. */
  private long total;

  /** Memory that calls need besides their tensors. */
  @FunctionalInterface
  public interface Scratch {
    /** Bytes that a call needs; 0 for none. */
    long bytes(Call call);

    /** The last call that reads what this one leaves there; by default this one. */
    default Call last(Call call) {
      return call;
    }
  }

  private static final class Buffer {
    final long size;
    final int first;
    int last;
    long offset = -1;

    Buffer(long size, int first, int last) {
      this.size = size;
      this.first = first;
      this.last = last;
    }

    boolean overlaps(Buffer other) {
      return first <= other.last && other.first <= last;
    }
  }

  /** Of fp32 tensors on the CPU, whose kernels bring their scratch memory. */
  public MemoryPlan(Recording recording) {
    this(recording, Float.BYTES, CPU_ALIGNMENT, call -> 0);
  }

  /**
   * @param elementBytes bytes of an element of every tensor, at most 4
   * @param alignment offsets are multiples of this power of two
   * @param needs what calls need besides their tensors
   */
  public MemoryPlan(Recording recording, int elementBytes, int alignment, Scratch needs) {
    this.elementBytes = elementBytes;
    this.alignment = alignment;
    List<Call> calls = recording.calls();
    Map<Tensor, Integer> lastRead = new HashMap<>();
    Map<Tensor, Integer> made = new HashMap<>();
    for (int i = 0; i < calls.size(); i++) {
      made.put(calls.get(i).out(), i);
      for (Tensor read : calls.get(i).reads()) {
        lastRead.put(read, i);
      }
    }
    // The host writes the inputs before the first call and reads outputs after the last one.
    recording.outputs().values().forEach(output -> lastRead.put(output, calls.size()));
    recording.inputs().forEach(input -> define(input, -1, lastRead));
    for (int i = 0; i < calls.size(); i++) {
      Call call = calls.get(i);
      Tensor replaced = call.op().replaceable(call.in());
      if (replaced != null && lastRead.get(replaced) == i) {
        Buffer buffer = buffers.get(replaced);
        buffer.last = lastRead.getOrDefault(call.out(), i);
        buffers.put(call.out(), buffer);
      } else {
        define(call.out(), i, lastRead);
      }
      long bytes = needs.bytes(call);
      if (bytes > 0) {
        scratch.put(call.out(), buffer(bytes, i, made.get(needs.last(call).out())));
      }
    }
    place();
  }

  private void define(Tensor tensor, int first, Map<Tensor, Integer> lastRead) {
    long size = Math.multiplyExact(tensor.shape().elements(), (long) elementBytes);
    buffers.put(tensor, buffer(size, first, lastRead.getOrDefault(tensor, first)));
  }

  private Buffer buffer(long size, int first, int last) {
    total += align(size);
    if (total > MAX_TOTAL) {
      throw new IllegalArgumentException(
          "the tensors of a program would take more than 2^62 bytes; run a smaller input");
    }
    return new Buffer(size, first, last);
  }

  private void place() {
    List<Buffer> bySize = Stream.concat(buffers.values().stream(), scratch.values().stream()).distinct()
        .sorted(Comparator.<Buffer>comparingLong(buffer -> -buffer.size).thenComparingInt(buffer -> buffer.first))
        .toList();
    List<Buffer> placed = new ArrayList<>();
    for (Buffer buffer : bySize) {
      long offset = 0;
      for (Buffer other : placed.stream().filter(buffer::overlaps).sorted(Comparator.comparingLong(o -> o.offset))
          .toList()) {
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

  /** Byte offset of a call's scratch memory in the workspace; -1 if it has none. */
  public long scratch(Call call) {
    Buffer buffer = scratch.get(call.out());
    return buffer == null ? -1 : buffer.offset;
  }

  private long align(long bytes) {
    return (bytes + alignment - 1) & -alignment;
  }
}
