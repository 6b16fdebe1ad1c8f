package io.vertebra.cli;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/** NumPy's array file, version 1.0 (numpy.lib.format), of fp32 in row-major order. */
final class Npy {
  /** A multiple of 64, as the format asks; the same for all, so that a header can be replaced. */
  private static final int HEADER_BYTES = 128;
  private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};

  private Npy() {}

  /** @param shape of at least two dimensions */
  static ByteBuffer header(long... shape) {
    String dims = LongStream.of(shape).mapToObj(Long::toString).collect(Collectors.joining(", "));
    String description = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + dims + "), }";
    int textBytes = HEADER_BYTES - MAGIC.length - Short.BYTES;
    String padded = description + " ".repeat(textBytes - 1 - description.length()) + "\n";
    return ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN).put(MAGIC).putShort((short) textBytes)
        .put(padded.getBytes(StandardCharsets.US_ASCII)).flip();
  }

  /** {@code count} values from {@code start} on. */
  static ByteBuffer data(float[] values, int start, int count) {
    ByteBuffer bytes = ByteBuffer.allocate(Math.multiplyExact(count, Float.BYTES)).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values, start, count);
    return bytes;
  }
}
