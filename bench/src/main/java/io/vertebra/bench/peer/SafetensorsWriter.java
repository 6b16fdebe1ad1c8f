package io.vertebra.bench.peer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.vertebra.program.Shape;
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
import java.util.Set;

/** Writes the parameters a model asks for as a safetensors file: eight bytes with the header's length, a JSON header, the data. */
final class SafetensorsWriter {
  private SafetensorsWriter() {}

  /** Passes on what it is asked for, and remembers it. */
  private record Asked(ParameterSource source, Map<String, Parameter> parameters) implements ParameterSource {
    @Override
    public String describe() {
      return source.describe();
    }

    @Override
    public Parameter find(String name, Shape expected) {
      return parameters.computeIfAbsent(name, absent -> source.find(name, expected));
    }

    @Override
    public Set<String> names() {
      return source.names();
    }

    @Override
    public Map<String, String> metadata() {
      return source.metadata();
    }
  }

  static void write(Workload workload, Path file) throws IOException {
    Asked asked = new Asked(workload.weights(), new LinkedHashMap<>());
    workload.model().load(asked, new ReferenceBackend());
    byte[] header = header(asked.parameters.values());
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      write(channel, ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(0, header.length));
      write(channel, ByteBuffer.wrap(header));
      for (Parameter parameter : asked.parameters.values()) {
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
