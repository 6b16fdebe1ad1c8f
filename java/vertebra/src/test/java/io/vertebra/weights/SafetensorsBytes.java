package io.vertebra.weights;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Safetensors files put together by hand, right or wrong. */
final class SafetensorsBytes {
  private SafetensorsBytes() {}

  /** A header's entry. */
  static String tensor(String name, String dtype, String shape, long begin, long end) {
    return "\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%d,%d]}".formatted(name, dtype, shape, begin,
        end);
  }

  static ByteBuffer file(String header, byte... data) {
    return file(header.getBytes(StandardCharsets.UTF_8), data);
  }

  static ByteBuffer file(byte[] header, byte... data) {
    return withLength(header.length, header, data);
  }

  static ByteBuffer withLength(long headerBytes, byte[] header, byte... data) {
    return ByteBuffer.allocateDirect(8 + header.length + data.length).order(ByteOrder.LITTLE_ENDIAN)
        .putLong(headerBytes).put(header).put(data).flip();
  }

  /** A golden file among the test resources. */
  static Safetensors golden(String path) throws IOException {
    return Safetensors.of(path, ByteBuffer.wrap(goldenBytes(path)));
  }

  static byte[] goldenBytes(String path) throws IOException {
    try (InputStream stream = SafetensorsBytes.class.getResourceAsStream("/golden/" + path)) {
      return stream.readAllBytes();
    }
  }
}
