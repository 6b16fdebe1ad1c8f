package io.vertebra.cpu;

import io.vertebra.program.WeightStore;

/**
 * Weights side by side in large blocks of memory. Huge pages can back these where they could not back every matrix by itself, and a pass over the weights, which
 * are more than any cache holds, then walks few page tables. A slab is freed with the last of its parts. Thread-safe.
 */
final class Slabs {
  private static final long ALIGNMENT = 64;
  /** Small models take little; later slabs double up to this. */
  private static final long SMALLEST = 2L << 20;
  private static final long LARGEST = 32L << 20;

  private Slab last;
  private long nextBytes = SMALLEST;

  private static final class Slab {
    private final NativeMemory memory;
    private long used;
    private int parts;

    Slab(long bytes) {
      this.memory = new NativeMemory(bytes);
    }
  }

  private final class Part implements WeightStore.Block {
    private final Slab slab;
    private final long address;
    private final long bytes;
    private boolean closed;

    Part(Slab slab, long bytes) {
      this.slab = slab;
      this.address = slab.memory.address() + slab.used;
      this.bytes = bytes;
      slab.used += aligned(bytes);
      slab.parts++;
    }

    @Override
    public long address() {
      return address;
    }

    @Override
    public long bytes() {
      return bytes;
    }

    @Override
    public void close() {
      synchronized (Slabs.this) {
        if (closed) {
          return;
        }
        closed = true;
        if (--slab.parts == 0) {
          slab.memory.close();
          last = slab == last ? null : last;
        }
      }
    }
  }

  /** Memory aligned to a cache line. */
  synchronized WeightStore.Block allocate(long bytes) {
    if (last == null || last.memory.bytes() - last.used < bytes) {
      last = new Slab(Math.max(nextBytes, aligned(bytes)));
      nextBytes = Math.min(2 * nextBytes, LARGEST);
    }
    return new Part(last, bytes);
  }

  private static long aligned(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }
}
