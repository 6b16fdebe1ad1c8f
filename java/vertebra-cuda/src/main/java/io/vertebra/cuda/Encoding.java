package io.vertebra.cuda;

import io.vertebra.cuda.runtime.GpuType;
import io.vertebra.tensor.Halves;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.WeightsException;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import java.util.Locale;

/** Values in the types that the device stores, as bytes. */
final class Encoding {
  private Encoding() {}

  static ByteBuffer of(float[] values) {
    ByteBuffer bytes = CudaMemory.hostBuffer((long) values.length * Float.BYTES);
    bytes.asFloatBuffer().put(values);
    return bytes;
  }

  /** @throws WeightsException if an element is NaN or infinite, or becomes so in this type */
  static ByteBuffer of(Parameter matrix, GpuType type) {
    float[] values = matrix.toFloats();
    ByteBuffer bytes = CudaMemory.hostBuffer((long) values.length * type.bytes());
    FloatBuffer floats = bytes.asFloatBuffer();
    ShortBuffer halves = bytes.asShortBuffer();
    for (int i = 0; i < values.length; i++) {
      float value = values[i];
      switch (type) {
        case F32 -> floats.put(i, value);
        case F16 -> halves.put(i, Halves.toF16(value));
        default -> halves.put(i, Halves.toBf16(value));
      }
      float stored = type == GpuType.F32 ? value : decoded(halves.get(i), type);
      if (!Float.isFinite(stored)) {
        throw new WeightsException(Float.isFinite(value)
            ? matrix.name() + " holds " + value + ", which is too large for " + type.name().toLowerCase(Locale.ROOT)
                + "; run the model in fp32 or bf16"
            : matrix.name() + " holds values that are NaN or infinite; the checkpoint is damaged");
      }
    }
    return bytes;
  }

  /** Writes all values of {@code bytes} to {@code into}, from element {@code offset} on. */
  static void decode(ByteBuffer bytes, GpuType type, float[] into, int offset) {
    int count = bytes.capacity() / type.bytes();
    if (type == GpuType.F32) {
      bytes.asFloatBuffer().get(into, offset, count);
      return;
    }
    ShortBuffer halves = bytes.asShortBuffer();
    for (int i = 0; i < count; i++) {
      into[offset + i] = decoded(halves.get(i), type);
    }
  }

  private static float decoded(short half, GpuType type) {
    return type == GpuType.F16 ? Halves.fromF16(half) : Halves.fromBf16(half);
  }
}
