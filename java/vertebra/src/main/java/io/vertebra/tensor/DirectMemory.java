package io.vertebra.tensor;

import java.nio.ByteBuffer;

/** Direct buffers, of which the JVM grants no more than {@code -XX:MaxDirectMemorySize}, or as much as its heap. */
public final class DirectMemory {
  private DirectMemory() {}

  /** @throws VertebraException if the JVM grants no more */
  public static ByteBuffer allocate(int bytes) {
    try {
      return ByteBuffer.allocateDirect(bytes);
    } catch (OutOfMemoryError e) {
      throw new VertebraException(
          "the JVM grants no " + bytes + " bytes more of direct memory; raise -XX:MaxDirectMemorySize", e);
    }
  }
}
