package io.vertebra.bench.peer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.ParameterSource;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Writes the parameters a model asks for as a safetensors file: eight bytes with the header's length, a JSON header,
 * the data.
 */
final class SafetensorsWriter {
  private SafetensorsWriter() {}

  static void write(Workload workload, Path file) throws IOException {
    Map<String, Parameter> asked = new LinkedHashMap<>();
    ParameterSource weights = workload.weights();
    workload.model().load((name, expected) -> asked.computeIfAbsent(name, absent -> weights.find(name, expected)),
        new ReferenceBackend());
    byte[] header = header(asked.values());
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      write(channel, ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(0, header.length));
      write(channel, ByteBuffer.wrap(header));
      for (Parameter parameter : asked.values()) {
        write(channel, parameter.data());
      }
    }
  }

  private static byte[] header(Collection<Parameter> parameters) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    long end = 0;
    try (JsonGenerator json = new JsonFactory().createGenerator(bytes)) {
      json.writeStartObject();
      for (Parameter parameter : parameters) {
        int[] dims = parameter.shape().toArray();
        long begin = end;
        end += parameter.shape().elements() * parameter.dtype().bytes();
        json.writeObjectFieldStart(parameter.name());
        json.writeStringField("dtype", parameter.dtype().name());
        json.writeFieldName("shape");
        json.writeArray(dims, 0, dims.length);
        json.writeFieldName("data_offsets");
        json.writeArray(new long[] {begin, end}, 0, 2);
        json.writeEndObject();
      }
      json.writeEndObject();
    }
    return bytes.toByteArray();
  }

  private static void write(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }
}
