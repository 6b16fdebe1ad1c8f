package io.vertebra.weights;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.atomic.AtomicLong;

/** A checkpoint file's contents, of any size, mapped into memory or held in a buffer. Immutable and thread-safe. */
final class FileBytes {
  /**
   * Longest piece that can be had at once: it lies in the window, almost twice as long, that begins at the multiple
   * before it.
   */
  static final long MAX_SLICE = 1 << 30;

  /** Bytes of a mapped file that may be in memory, and one slice more. */
  private static final long MAX_RESIDENT = 1 << 24;

  private final String name;
  private final long size;
  private final ByteBuffer[] windows;
  private final boolean mapped;
  private final AtomicLong given = new AtomicLong();

  /** Gives a part of the file; its size fits an int. */
  @FunctionalInterface
  private interface Region {
    ByteBuffer map(long position, long bytes) throws IOException;
  }

  /** @throws WeightsException if there is no such file, or it cannot be read */
  static FileBytes open(Path file) {
    if (!Files.isRegularFile(file)) {
      throw new WeightsException(file + (Files.exists(file) ? ": is not a file" : ": there is no such file"));
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      return new FileBytes(file.toString(), channel.size(), true,
          (position, bytes) -> channel.map(FileChannel.MapMode.READ_ONLY, position, bytes));
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
    ByteBuffer direct
        = bytes.isDirect() ? bytes.slice() : ByteBuffer.allocateDirect(bytes.remaining()).put(bytes.duplicate()).flip();
    try {
      return new FileBytes(name, direct.remaining(), false,
          (position, length) -> direct.slice((int) position, (int) length));
    } catch (IOException e) {
      throw new WeightsException(name + ": cannot be read: " + e, e);
    }
  }

  private FileBytes(String name, long size, boolean mapped, Region file) throws IOException {
    this.name = name;
    this.size = size;
    this.mapped = mapped;
    windows = new ByteBuffer[(int) (size / MAX_SLICE) + 1];
    for (int i = 0; i < windows.length; i++) {
      windows[i] = file.map(i * MAX_SLICE, Math.min(size - i * MAX_SLICE, Integer.MAX_VALUE));
    }
  }

  /** For messages. */
  String name() {
    return name;
  }

  long size() {
    return size;
  }

  /**
   * A direct little-endian buffer over at most {@link #MAX_SLICE} bytes inside the file. Of a mapped file what was
   * given out before is taken out of memory from time to time: loading a model reads everything once, and packed
   * weights take its place.
   */
  ByteBuffer slice(long position, long bytes) {
    if (mapped && given.addAndGet(bytes) > MAX_RESIDENT) {
      given.set(bytes);
      MappedPages.release(windows);
    }
    return windows[(int) (position / MAX_SLICE)].slice((int) (position % MAX_SLICE), Math.toIntExact(bytes))
        .order(ByteOrder.LITTLE_ENDIAN);
  }
}
