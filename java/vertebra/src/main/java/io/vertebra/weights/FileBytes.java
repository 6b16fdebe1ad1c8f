package io.vertebra.weights;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.function.IntFunction;

/**
 * A checkpoint file's contents, of any size: read from the file as they are asked for, or held in a buffer.
 * Thread-safe.
 *
 * <p>Nothing is mapped into memory: where a mapped file is cut off, reading ends the process, while here it is an
 * exception.
 */
final class FileBytes implements AutoCloseable {
  /** Longest piece that can be had at once. */
  static final long MAX_SLICE = 1 << 30;

  private final String name;
  private final long size;
  /** Null if the contents are in {@link #held}. Closed with the last reference to it, too. */
  private final FileChannel channel;
  private final ByteBuffer held;

  private FileBytes(String name, long size, FileChannel channel, ByteBuffer held) {
    this.name = name;
    this.size = size;
    this.channel = channel;
    this.held = held;
  }

  /** @throws WeightsException if there is no such file, or it cannot be read */
  static FileBytes open(Path file) {
    if (!Files.isRegularFile(file)) {
      throw new WeightsException(file + (Files.exists(file) ? ": is not a file" : ": there is no such file"));
    }
    try {
      FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
      return new FileBytes(file.toString(), channel.size(), channel, null);
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
    ByteBuffer direct = bytes.isDirect() ? bytes : ByteBuffer.allocateDirect(size).put(bytes.duplicate()).flip();
    return new FileBytes(name, size, null, direct.slice());
  }

  /** For messages. */
  String name() {
    return name;
  }

  long size() {
    return size;
  }

  /** A direct little-endian buffer with at most {@link #MAX_SLICE} bytes inside the file. */
  ByteBuffer slice(long position, long bytes) {
    return slice(position, bytes, ByteBuffer::allocateDirect);
  }

  /**
   * As {@link #slice(long, long)}.
   *
   * @param memory gives direct memory of a size, for what lies in a file
   * @throws WeightsException if the file is shorter than it was, or cannot be read
   */
  ByteBuffer slice(long position, long bytes, IntFunction<ByteBuffer> memory) {
    int length = Math.toIntExact(bytes);
    if (channel == null) {
      return held.slice(Math.toIntExact(position), length).order(ByteOrder.LITTLE_ENDIAN);
    }
    ByteBuffer into = memory.apply(length);
    try {
      while (into.hasRemaining()) {
        if (channel.read(into, position + into.position()) < 0) {
          throw new WeightsException(name + ": was cut off while it was read: byte " + (position + into.position())
              + " of " + size + " is gone");
        }
      }
    } catch (ClosedChannelException e) {
      throw new WeightsException(
          name + ": is closed, or the thread that read it was interrupted; open the checkpoint anew", e);
    } catch (IOException e) {
      throw new WeightsException(name + ": cannot be read: " + e, e);
    }
    return into.flip().order(ByteOrder.LITTLE_ENDIAN);
  }

  @Override
  public void close() {
    if (channel != null) {
      try {
        channel.close();
      } catch (IOException e) {
        throw new WeightsException(name + ": cannot be closed: " + e, e);
      }
    }
  }
}
