package io.vertebra.weights;

import java.lang.ref.WeakReference;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.function.IntFunction;

/**
 * Direct memory that parameters are read into, one after the other: new memory for each would have to be cleared, and
 * would wait for the garbage collector. One block stays for the next user, until the collector takes it. Thread-safe.
 */
final class Scratch {
  private static final int LEAST_BYTES = 1 << 22;
  private static final AtomicReference<WeakReference<ByteBuffer>> SPARE
      = new AtomicReference<>(new WeakReference<>(null));

  private ByteBuffer block;

  private Scratch(ByteBuffer block) {
    this.block = block;
  }

  /** Gives {@code user} memory that it may use until it returns; what it asks for last replaces what it had. */
  static <T> T lend(Function<IntFunction<ByteBuffer>, T> user) {
    Scratch scratch = new Scratch(SPARE.getAndSet(new WeakReference<>(null)).get());
    T result = user.apply(scratch::of);
    SPARE.set(new WeakReference<>(scratch.block));
    return result;
  }

  private ByteBuffer of(int bytes) {
    if (block == null || block.capacity() < bytes) {
      block = ByteBuffer.allocateDirect(Math.max(bytes, LEAST_BYTES));
    }
    return block.slice(0, bytes);
  }
}
