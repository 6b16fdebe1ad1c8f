package io.vertebra.bench.gemm;

import io.vertebra.cpu.Native;
import java.nio.FloatBuffer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;

/** 64-byte aligned native memory. Not thread-safe; {@link #close} once. */
final class NativeFloats extends FloatPointer {
  NativeFloats(long count) {
    super((Pointer) null);
    address = Native.vtb_alloc(count * Float.BYTES);
    if (address == 0) {
      throw new OutOfMemoryError(count + " floats of native memory");
    }
    limit = count;
    capacity = count;
  }

  NativeFloats(float[] values) {
    this(values.length);
    set(values);
  }

  void set(float[] values) {
    asBuffer().put(values);
  }

  float[] toArray() {
    FloatBuffer buffer = asBuffer();
    float[] values = new float[buffer.remaining()];
    buffer.get(values);
    return values;
  }

  @Override
  public void close() {
    Native.vtb_free(address);
    address = 0;
  }
}
