package io.vertebra.weights;

import io.vertebra.tensor.Shape;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.Map;
import java.util.Set;

/**
 * A safetensors file: eight bytes with the length of a JSON header (little endian), the header, the tensors' data. The
 * whole header is checked on opening, as strictly as the format allows: tensors must fill the data exactly, without
 * overlaps or gaps.
 *
 * <p>A scalar (shape {@code []}) is read as {@code [1]}. A tensor without elements or of more than 1 GiB is legal and
 * listed, but refused when asked for.
 */
public final class Safetensors implements ParameterSource {
  private static final int LENGTH_BYTES = 8;
  /** The limit of the format's own readers. */
  private static final long MAX_HEADER_BYTES = 100_000_000;

  private final FileBytes file;
  private final SafetensorsHeader header;
  private final long dataStart;

  /**
   * Opens a file, whatever its size: its tensors are read as they are asked for. It stays open until {@link #close}, or
   * until this object and its parameters are unreachable; it may be deleted or replaced (by renaming another over it)
   * meanwhile. What is cut off or written into meanwhile is lost, with an exception or in numbers.
   *
   * @throws WeightsException if the file cannot be read or is no valid safetensors file; the message names the file and
   *   the tensor
   */
  public static Safetensors open(Path file) {
    return new Safetensors(FileBytes.open(file));
  }

  /**
   * Reads a file held in memory, from {@code bytes}' position to its limit. A heap buffer is copied; the contents of a
   * direct one must not change as long as this object is used.
   *
   * @param description names the file in messages
   * @throws WeightsException if this is no valid safetensors file
   */
  public static Safetensors of(String description, ByteBuffer bytes) {
    return new Safetensors(FileBytes.of(description, bytes));
  }

  Safetensors(FileBytes file) {
    this.file = file;
    String description = file.name();
    long fileBytes = file.size();
    if (fileBytes < LENGTH_BYTES) {
      throw new WeightsException(description + ": is " + fileBytes + " bytes long, too short for a safetensors file");
    }
    long headerBytes = file.slice(0, LENGTH_BYTES).getLong();
    if (headerBytes < 0 || headerBytes > MAX_HEADER_BYTES) {
      throw new WeightsException(description + ": claims a header of " + Long.toUnsignedString(headerBytes)
          + " bytes, more than the " + MAX_HEADER_BYTES + " allowed; it may not be a safetensors file");
    }
    dataStart = LENGTH_BYTES + headerBytes;
    if (dataStart > fileBytes) {
      throw new WeightsException(description + ": claims a header of " + headerBytes + " bytes, but is only "
          + fileBytes + " bytes long; it may be cut off");
    }
    header = new SafetensorsHeader(description, file.slice(LENGTH_BYTES, headerBytes), fileBytes - dataStart);
  }

  @Override
  public String describe() {
    return file.name();
  }

  /** @throws WeightsException if the tensor has no elements, or takes more than 1 GiB */
  @Override
  public Parameter find(String name, Shape expected) {
    SafetensorsHeader.Entry entry = header.entries().get(name);
    if (entry == null) {
      return null;
    }
    long bytes = entry.end() - entry.begin();
    if (bytes == 0 || bytes > FileBytes.MAX_SLICE) {
      String problem = bytes == 0 ? "has no elements"
          : "takes " + bytes + " bytes, more than the " + FileBytes.MAX_SLICE + " this reader allows";
      throw new WeightsException(file.name() + ": tensor '" + name + "' " + entry.dtype() + " "
          + Arrays.toString(entry.dims()) + " " + problem);
    }
    int[] dims = Arrays.stream(entry.dims()).mapToInt(Math::toIntExact).toArray();
    return Parameter.of(name, dims.length == 0 ? Shape.of(1) : Shape.of(dims), entry.dtype(),
        memory -> file.slice(dataStart + entry.begin(), bytes, memory));
  }

  @Override
  public Listing list(String name) {
    SafetensorsHeader.Entry entry = header.entries().get(name);
    return entry == null ? null : new Listing(entry.dtype(), Arrays.stream(entry.dims()).boxed().toList());
  }

  @Override
  public void close() {
    file.close();
  }

  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(header.entries().keySet());
  }

  @Override
  public Map<String, String> metadata() {
    return Collections.unmodifiableMap(header.metadata());
  }
}
