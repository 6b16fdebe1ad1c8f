package io.vertebra.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/** A file that appears under its name only when it is complete; until then it is {@code NAME.part}. Buffered. */
final class PartFile implements AutoCloseable {
  private static final int BUFFER_BYTES = 1 << 16;

  private final Path target;
  private final Path part;
  private final FileChannel channel;
  private final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);

  /** @throws IllegalArgumentException if the file cannot be there */
  PartFile(Path target) throws IOException {
    Path folder = target.toAbsolutePath().getParent();
    if (Files.isDirectory(target) || folder == null || !Files.isDirectory(folder)) {
      String problem = Files.isDirectory(target) ? "is a folder" : "its folder does not exist";
      throw new IllegalArgumentException(target + ": " + problem);
    }
    this.target = target;
    this.part = target.resolveSibling(target.getFileName() + ".part");
    this.channel = FileChannel.open(part, StandardOpenOption.CREATE, StandardOpenOption.WRITE,
        StandardOpenOption.TRUNCATE_EXISTING);
  }

  void write(ByteBuffer bytes) throws IOException {
    if (bytes.remaining() > buffer.remaining()) {
      flush();
    }
    if (bytes.remaining() <= buffer.remaining()) {
      buffer.put(bytes);
    } else {
      writeFully(bytes);
    }
  }

  /** Overwrites the file's start with {@code bytes}. */
  void rewriteStart(ByteBuffer bytes) throws IOException {
    flush();
    channel.position(0);
    writeFully(bytes);
  }

  private void flush() throws IOException {
    buffer.flip();
    writeFully(buffer);
    buffer.clear();
  }

  private void writeFully(ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  /** Gives the complete file its name, replacing an older one. */
  void commit() throws IOException {
    flush();
    channel.close();
    Files.move(part, target, StandardCopyOption.REPLACE_EXISTING);
  }

  /** Without {@link #commit}, removes what was written. */
  @Override
  public void close() throws IOException {
    channel.close();
    Files.deleteIfExists(part);
  }
}
