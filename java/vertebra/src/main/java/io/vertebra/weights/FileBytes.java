package io.vertebra.weights;

import io.vertebra.tensor.DirectMemory;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/** A checkpoint file's contents, of any size, mapped into memory or held in a buffer. Immutable and thread-safe. */
final class FileBytes {
  /**
   * Longest piece that can be had at once: it lies in the window, almost twice as long, that begins at the multiple
   * before it.
   */
  static final long MAX_SLICE = 1 << 30;

  private final String name;
  private final long size;
  private final List<? extends ByteBuffer> windows;
  private final List<MappedByteBuffer> mappings;

  private FileBytes(String name, long size, List<? extends ByteBuffer> windows, List<MappedByteBuffer> mappings) {
    this.name = name;
    this.size = size;
    this.windows = windows;
    this.mappings = mappings;
  }

  /** @throws WeightsException if there is no such file, or it cannot be read */
  static FileBytes open(Path file) {
    if (!Files.isRegularFile(file)) {
      throw new WeightsException(file + (Files.exists(file) ? ": is not a file" : ": there is no such file"));
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long size = channel.size();
      List<MappedByteBuffer> windows = new ArrayList<>();
      for (long start = 0; start <= size; start += MAX_SLICE) {
        windows.add(channel.map(FileChannel.MapMode.READ_ONLY, start, Math.min(size - start, Integer.MAX_VALUE)));
      }
      return new FileBytes(file.toString(), size, windows, List.copyOf(windows));
    } catch (IOException e) {
      throw new WeightsException(file + ": cannot be read: " + e, e);
    }
  }

  /**
   * From the buffer's position to its limit; a heap buffer is copied.
   *
   * @param name names the file in messages
   */
  static FileBytes of(String name, ByteBuffer bytes) {
    int size = bytes.remaining();
    ByteBuffer direct = bytes.isDirect() ? bytes.slice() : DirectMemory.allocate(size).put(bytes.duplicate());
    List<ByteBuffer> windows = new ArrayList<>();
    for (long start = 0; start <= size; start += MAX_SLICE) {
      windows.add(direct.slice((int) start, size - (int) start));
    }
    return new FileBytes(name, size, windows, List.of());
  }

  /** For messages. */
  String name() {
    return name;
  }

  long size() {
    return size;
  }

  /** All of the file, if it is mapped; see {@link ParameterSource#mappings}. */
  List<MappedByteBuffer> mappings() {
    return mappings;
  }

  /** A direct little-endian buffer over at most {@link #MAX_SLICE} bytes inside the file. */
  ByteBuffer slice(long position, long bytes) {
    return windows.get((int) (position / MAX_SLICE)).slice((int) (position % MAX_SLICE), Math.toIntExact(bytes))
        .order(ByteOrder.LITTLE_ENDIAN);
  }
}
