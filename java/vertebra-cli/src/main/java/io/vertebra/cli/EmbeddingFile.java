package io.vertebra.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * Embeddings on their way to a file: {@code .npy}, an array {@code [images, width]} with the images' names, a line
 * each, in {@code NAME.npy.txt}; or {@code .jsonl}, an object with {@code file} and {@code embedding} a line. The files
 * appear when they are complete.
 */
abstract sealed class EmbeddingFile implements AutoCloseable {

  /**
   * @param target its extension tells the format
   * @param width values of an embedding
   * @throws IllegalArgumentException for another extension, or if the file cannot be there
   */
  static EmbeddingFile create(Path target, int width) throws IOException {
    if (target.toString().endsWith(".npy")) {
      return new Array(target, width);
    } else if (target.toString().endsWith(".jsonl")) {
      return new Lines(target, width);
    }
    throw new IllegalArgumentException(target + ": the output's name must end in .npy or .jsonl");
  }

  /** Appends the embedding that starts at {@code values[start]}. */
  abstract void add(String file, float[] values, int start) throws IOException;

  /** Completes the file. */
  abstract void commit() throws IOException;

  @Override
  public abstract void close() throws IOException;

  private static ByteBuffer line(String text) {
    return StandardCharsets.UTF_8.encode(text + "\n");
  }

  private static final class Array extends EmbeddingFile {
    private final PartFile array;
    private final PartFile names;
    private final int width;
    private long rows;

    Array(Path target, int width) throws IOException {
      this.width = width;
      this.array = new PartFile(target);
      this.names = new PartFile(target.resolveSibling(target.getFileName() + ".txt"));
      array.write(Npy.header(0, width));
    }

    @Override
    void add(String file, float[] values, int start) throws IOException {
      array.write(Npy.data(values, start, width));
      names.write(line(file));
      rows++;
    }

    @Override
    void commit() throws IOException {
      array.rewriteStart(Npy.header(rows, width));
      names.commit();
      array.commit();
    }

    @Override
    public void close() throws IOException {
      names.close();
      array.close();
    }
  }

  private static final class Lines extends EmbeddingFile {
    private final PartFile lines;
    private final int width;

    Lines(Path target, int width) throws IOException {
      this.width = width;
      this.lines = new PartFile(target);
    }

    @Override
    void add(String file, float[] values, int start) throws IOException {
      float[] embedding = Arrays.copyOfRange(values, start, start + width);
      lines.write(line(Output.json(Output.fields("file", file, "embedding", embedding))));
    }

    @Override
    void commit() throws IOException {
      lines.commit();
    }

    @Override
    public void close() throws IOException {
      lines.close();
    }
  }
}
