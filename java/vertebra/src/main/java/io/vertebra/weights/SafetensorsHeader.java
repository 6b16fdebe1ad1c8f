package io.vertebra.weights;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.vertebra.tensor.DType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The JSON header of a safetensors file, parsed and checked against the size of the data behind it. */
final class SafetensorsHeader {
  /** Where a tensor is; {@code begin} and {@code end} count bytes from the start of the data. */
  record Entry(DType dtype, long[] dims, long begin, long end) {}

  // Every name occurs about once, so a table of names seen would only cost memory.
  private static final JsonFactory JSON = JsonFactory.builder().disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
      .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES).build();

  private final String file;
  private final Map<String, Entry> entries = new LinkedHashMap<>();
  private final Map<String, String> metadata = new LinkedHashMap<>();
  private boolean hasMetadata;

  /**
   * @param file names the file in messages
   * @param json the header without its length
   * @param dataBytes bytes that follow the header
   */
  SafetensorsHeader(String file, ByteBuffer json, long dataBytes) {
    this.file = file;
    try (JsonParser parser = JSON.createParser(StandardCharsets.UTF_8.newDecoder().decode(json).toString())) {
      parse(parser);
    } catch (CharacterCodingException e) {
      throw bad("the header is not UTF-8", e);
    } catch (JacksonException e) {
      throw bad("the header is not valid JSON: " + e.getOriginalMessage(), e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    checkLayout(dataBytes);
  }

  /** In the order of the header. */
  Map<String, Entry> entries() {
    return entries;
  }

  Map<String, String> metadata() {
    return metadata;
  }

  private void parse(JsonParser parser) throws IOException {
    if (parser.nextToken() != JsonToken.START_OBJECT) {
      throw bad("the header is not a JSON object", null);
    }
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String name = parser.currentName();
      JsonToken value = parser.nextToken();
      if (name.equals("__metadata__")) {
        if (hasMetadata) {
          throw bad("the header has __metadata__ twice", null);
        }
        hasMetadata = true;
        parseMetadata(parser, value);
      } else if (entries.putIfAbsent(name, parseTensor(parser, name, value)) != null) {
        throw badTensor(name, "is in the header twice");
      }
    }
    if (parser.nextToken() != null) {
      throw bad("the header goes on after its JSON object", null);
    }
  }

  private void parseMetadata(JsonParser parser, JsonToken value) throws IOException {
    if (value != JsonToken.START_OBJECT) {
      throw bad("__metadata__ is not an object", null);
    }
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String key = parser.currentName();
      if (parser.nextToken() != JsonToken.VALUE_STRING) {
        throw bad("__metadata__ entry '" + key + "' is not a string", null);
      }
      if (metadata.putIfAbsent(key, parser.getText()) != null) {
        throw bad("__metadata__ has '" + key + "' twice", null);
      }
    }
  }

  private Entry parseTensor(JsonParser parser, String name, JsonToken value) throws IOException {
    if (value != JsonToken.START_OBJECT) {
      throw badTensor(name, "is not described by an object");
    }
    DType dtype = null;
    long[] dims = null;
    long[] offsets = null;
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String key = parser.currentName();
      JsonToken token = parser.nextToken();
      switch (key) {
        case "dtype" -> {
          checkFirst(dtype, name, key);
          dtype = parseDType(parser, name, token);
        }
        case "shape" -> {
          checkFirst(dims, name, key);
          dims = parseNumbers(parser, name, key, token);
        }
        case "data_offsets" -> {
          checkFirst(offsets, name, key);
          offsets = parseNumbers(parser, name, key, token);
        }
        default -> throw badTensor(name, "has the unknown key '" + key + "'");
      }
    }
    if (dtype == null || dims == null || offsets == null) {
      throw badTensor(name, "must have dtype, shape and data_offsets");
    }
    if (offsets.length != 2 || offsets[0] > offsets[1]) {
      throw badTensor(name, "has data_offsets " + Arrays.toString(offsets) + "; they must be begin and end, in order");
    }
    long bytes = bytes(name, dtype, dims);
    if (offsets[1] - offsets[0] != bytes) {
      throw badTensor(name, "has " + (offsets[1] - offsets[0]) + " bytes of data, but " + dtype + " "
          + Arrays.toString(dims) + " takes " + bytes);
    }
    return new Entry(dtype, dims, offsets[0], offsets[1]);
  }

  private DType parseDType(JsonParser parser, String name, JsonToken token) throws IOException {
    if (token != JsonToken.VALUE_STRING) {
      throw badTensor(name, "has a dtype that is not a string");
    }
    try {
      return DType.valueOf(parser.getText());
    } catch (IllegalArgumentException e) {
      throw badTensor(name, "has dtype '" + parser.getText() + "'; known are " + Arrays.toString(DType.values()));
    }
  }

  private long[] parseNumbers(JsonParser parser, String name, String key, JsonToken token) throws IOException {
    if (token != JsonToken.START_ARRAY) {
      throw badTensor(name, "has a " + key + " that is not an array");
    }
    long[] numbers = new long[4];
    int count = 0;
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      boolean integer = parser.currentToken() == JsonToken.VALUE_NUMBER_INT;
      if (!integer || parser.getNumberType() == JsonParser.NumberType.BIG_INTEGER || parser.getLongValue() < 0) {
        throw badTensor(name,
            "has " + parser.getText() + " in its " + key + "; only integers from 0 to 2^63 - 1 may be there");
      }
      if (count == numbers.length) {
        numbers = Arrays.copyOf(numbers, 2 * count);
      }
      numbers[count++] = parser.getLongValue();
    }
    return Arrays.copyOf(numbers, count);
  }

  private void checkFirst(Object earlier, String name, String key) {
    if (earlier != null) {
      throw badTensor(name, "has " + key + " twice");
    }
  }

  private long bytes(String name, DType dtype, long[] dims) {
    try {
      long bytes = dtype.bytes();
      for (long dim : dims) {
        bytes = Math.multiplyExact(bytes, dim);
      }
      return bytes;
    } catch (ArithmeticException e) {
      throw badTensor(name, "has shape " + Arrays.toString(dims) + ", which overflows");
    }
  }

  /** The tensors must fill the data from its first byte to its last, without a hole and without sharing a byte. */
  private void checkLayout(long dataBytes) {
    List<Map.Entry<String, Entry>> byOffset = entries.entrySet().stream()
        .sorted(Map.Entry.comparingByValue(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end)))
        .toList();
    long end = 0;
    String last = "the header";
    for (Map.Entry<String, Entry> next : byOffset) {
      Entry entry = next.getValue();
      if (entry.end > dataBytes) {
        throw badTensor(next.getKey(),
            "ends at byte " + entry.end + " of the data, which has " + dataBytes + "; the file may be cut off");
      }
      if (entry.begin < end) {
        throw badTensor(next.getKey(), "overlaps " + last);
      }
      if (entry.begin > end) {
        throw badTensor(next.getKey(), "leaves a gap of " + (entry.begin - end) + " bytes after " + last);
      }
      end = entry.end;
      last = "tensor '" + next.getKey() + "'";
    }
    if (end != dataBytes) {
      throw bad((dataBytes - end) + " bytes at the end belong to no tensor", null);
    }
  }

  private WeightsException bad(String problem, Throwable cause) {
    return new WeightsException(file + ": " + problem, cause);
  }

  private WeightsException badTensor(String name, String problem) {
    return new WeightsException(file + ": tensor '" + name + "' " + problem);
  }
}
