package io.vertebra.weights;

import io.vertebra.tensor.DType;
import io.vertebra.weights.JsonReader.Token;
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
    try {
      String text = StandardCharsets.UTF_8.newDecoder().decode(json).toString();
      parse(new JsonReader(text, file + ": the header is not valid JSON"));
    } catch (CharacterCodingException e) {
      throw bad("the header is not UTF-8", e);
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

  private void parse(JsonReader reader) {
    if (reader.next() != Token.START_OBJECT) {
      throw bad("the header is not a JSON object", null);
    }
    while (reader.next() != Token.END_OBJECT) {
      String name = reader.text();
      Token value = reader.next();
      if (name.equals("__metadata__")) {
        if (hasMetadata) {
          throw bad("the header has __metadata__ twice", null);
        }
        hasMetadata = true;
        parseMetadata(reader, value);
      } else if (entries.putIfAbsent(name, parseTensor(reader, name, value)) != null) {
        throw badTensor(name, "is in the header twice");
      }
    }
    if (reader.next() != Token.END_OF_TEXT) {
      throw bad("the header goes on after its JSON object", null);
    }
  }

  private void parseMetadata(JsonReader reader, Token value) {
    if (value != Token.START_OBJECT) {
      throw bad("__metadata__ is not an object", null);
    }
    while (reader.next() != Token.END_OBJECT) {
      String key = reader.text();
      if (reader.next() != Token.STRING) {
        throw bad("__metadata__ entry '" + key + "' is not a string", null);
      }
      if (metadata.putIfAbsent(key, reader.text()) != null) {
        throw bad("__metadata__ has '" + key + "' twice", null);
      }
    }
  }

  private Entry parseTensor(JsonReader reader, String name, Token value) {
    if (value != Token.START_OBJECT) {
      throw badTensor(name, "is not described by an object");
    }
    DType dtype = null;
    long[] dims = null;
    long[] offsets = null;
    while (reader.next() != Token.END_OBJECT) {
      String key = reader.text();
      Token token = reader.next();
      switch (key) {
        case "dtype" -> {
          checkFirst(dtype, name, key);
          dtype = parseDType(reader, name, token);
        }
        case "shape" -> {
          checkFirst(dims, name, key);
          dims = parseNumbers(reader, name, key, token);
        }
        case "data_offsets" -> {
          checkFirst(offsets, name, key);
          offsets = parseNumbers(reader, name, key, token);
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

  private DType parseDType(JsonReader reader, String name, Token token) {
    if (token != Token.STRING) {
      throw badTensor(name, "has a dtype that is not a string");
    }
    try {
      return DType.valueOf(reader.text());
    } catch (IllegalArgumentException e) {
      throw badTensor(name, "has dtype '" + reader.text() + "'; known are " + Arrays.toString(DType.values()));
    }
  }

  private long[] parseNumbers(JsonReader reader, String name, String key, Token token) {
    if (token != Token.START_ARRAY) {
      throw badTensor(name, "has a " + key + " that is not an array");
    }
    long[] numbers = new long[4];
    int count = 0;
    for (Token next = reader.next(); next != Token.END_ARRAY; next = reader.next()) {
      if (count == numbers.length) {
        numbers = Arrays.copyOf(numbers, 2 * count);
      }
      numbers[count++] = parseNumber(reader, name, key, next);
    }
    return Arrays.copyOf(numbers, count);
  }

  private long parseNumber(JsonReader reader, String name, String key, Token token) {
    try {
      long number = token == Token.INTEGER ? Long.parseLong(reader.text()) : -1;
      if (number >= 0) {
        return number;
      }
    } catch (NumberFormatException large) {
      // Refused as all others.
    }
    throw badTensor(name,
        "has " + reader.text() + " in its " + key + "; only integers from 0 to 2^63 - 1 may be there");
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
