package io.vertebra.weights;

import java.nio.ByteBuffer;
import java.util.function.Consumer;

/**
 * Memory that mapped files take. Pages that were read stay in the process's resident set until the mapping ends, which
 * the garbage collector decides; native code can take them out before, at no risk: whoever reads them next gets them
 * again.
 */
public final class MappedPages {
  private static volatile Consumer<ByteBuffer> release = mapping -> {};

  private MappedPages() {}

  /** Called by what knows how to take a whole mapping out of memory; before that, pages stay. */
  public static void releaseBy(Consumer<ByteBuffer> function) {
    release = function;
  }

  static void release(ByteBuffer[] mappings) {
    for (ByteBuffer mapping : mappings) {
      release.accept(mapping);
    }
  }
}
