package io.vertebra.cpu;

import io.vertebra.backend.WeightStore;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Packed matrices side by side in large blocks of memory. Huge pages can back these where they could not back every
 * matrix by itself, and a pass over the weights, which are more than any cache holds, then walks few page tables. A
 * slab is freed with the last of its parts, so what comes and goes while a model lives, such as the constants of an
 * input size, has no place here. Thread-safe.
 */
final class Slabs {
  private static final long ALIGNMENT = 64;
  /** Small models take little; later slabs double up to this. */
  private static final long SMALLEST = 2L << 20;
  private static final long LARGEST = 32L << 20;

  private Slab last;
  private long nextBytes = SMALLEST;
  private long spare;

  private static final class Slab {
    private final NativeMemory memory;
    private long used;
    private int parts;

    Slab(long bytes) {
      this.memory = new NativeMemory(bytes);
    }
  }

  private record Part(Slabs owner, Slab slab, long address, long bytes,
      AtomicBoolean closed) implements WeightStore.Block {
    @Override
    public void close() {
      if (!closed.getAndSet(true)) {
        owner.free(this);
      }
    }
  }

  /** Memory aligned to a cache line. */
  synchronized WeightStore.Block allocate(long bytes) {
    if (last == null || last.memory.bytes() - last.used < bytes) {
      last = new Slab(Math.max(nextBytes, aligned(bytes)));
      nextBytes = Math.min(2 * nextBytes, LARGEST);
      spare += last.memory.bytes();
    }
    long address = last.memory.address() + last.used;
    last.used += aligned(bytes);
    spare -= bytes;
    last.parts++;
    return new Part(this, last, address, bytes, new AtomicBoolean());
  }

  /** Bytes of all slabs that are nobody's. */
  synchronized long spare() {
    return spare;
  }

  private synchronized void free(Part part) {
    Slab slab = part.slab;
    spare += part.bytes;
    if (--slab.parts == 0) {
      slab.memory.close();
      spare -= slab.memory.bytes();
      last = slab == last ? null : last;
    }
  }

  private static long aligned(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }
}
