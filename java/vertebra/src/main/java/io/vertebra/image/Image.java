package io.vertebra.image;

import io.vertebra.tensor.Require;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/**
 * A decoded image of 8-bit RGB samples. Immutable and thread-safe, provided that memory handed in by the caller is left
 * alone.
 *
 * <p>Samples are taken as they are, the way Pillow's {@code convert("RGB")} does it: colour profiles are ignored, grey
 * becomes three equal channels, alpha is dropped, 16-bit samples keep their high byte, palettes are looked up, CMYK is
 * converted by {@code R = (255 - C)(255 - K) / 255} and alike.
 */
public final class Image {
  /** Tell a format, before the rest of a stream is read. */
  private static final int FORMAT_BYTES = 64;

  private final Pixels pixels;

  private Image(Pixels pixels) {
    this.pixels = pixels;
  }

  /** As {@link #read(Path, ImageOptions)} with {@link ImageOptions#DEFAULT}. */
  public static Image read(Path file) {
    return read(file, ImageOptions.DEFAULT);
  }

  /**
   * Reads a JPEG, PNG, BMP or GIF (first frame) file; the content decides which, not the name.
   *
   * @throws ImageException if the file is missing, empty, cut off, damaged, of another format or over a limit
   */
  public static Image read(Path file, ImageOptions options) {
    Require.nonNull(options, "options");
    if (Files.isDirectory(Require.nonNull(file, "file"))) {
      throw new ImageException(file + ": is a folder, not an image");
    }
    try (InputStream in = Files.newInputStream(file)) {
      return read(in, file.toString(), options);
    } catch (NoSuchFileException | FileNotFoundException e) {
      throw new ImageException(file + ": no such file", e);
    } catch (IOException e) {
      throw new ImageException(file + ": cannot be read: " + e, e);
    }
  }

  /** As {@link #read(InputStream, String, ImageOptions)} with {@link ImageOptions#DEFAULT}. */
  public static Image read(InputStream in, String name) {
    return read(in, name, ImageOptions.DEFAULT);
  }

  /**
   * Reads an encoded image to the end of the stream, which is left open.
   *
   * @param name names the image in messages
   * @throws ImageException as {@link #read(Path, ImageOptions)}
   */
  public static Image read(InputStream in, String name, ImageOptions options) {
    Require.nonNull(in, "in");
    Require.nonNull(name, "name");
    Require.nonNull(options, "options");
    byte[] bytes;
    try {
      byte[] first = in.readNBytes(Math.min(FORMAT_BYTES, options.maxBytes()));
      new ImageDecoder(name, options).format(first);
      bytes = new SequenceInputStream(new ByteArrayInputStream(first), in).readNBytes(options.maxBytes());
      if (bytes.length == options.maxBytes() && in.read() >= 0) {
        throw new ImageException(
            name + ": is longer than the limit of " + options.maxBytes() + " bytes; raise ImageOptions.maxBytes");
      }
    } catch (IOException e) {
      throw new ImageException(name + ": cannot be read: " + e, e);
    }
    return read(bytes, name, options);
  }

  /** As {@link #read(byte[], String, ImageOptions)} with {@link ImageOptions#DEFAULT}. */
  public static Image read(byte[] encoded, String name) {
    return read(encoded, name, ImageOptions.DEFAULT);
  }

  /**
   * Decodes an image held in memory.
   *
   * @param name names the image in messages
   * @throws ImageException as {@link #read(Path, ImageOptions)}
   */
  public static Image read(byte[] encoded, String name, ImageOptions options) {
    Require.nonNull(encoded, "encoded");
    Require.nonNull(name, "name");
    Require.nonNull(options, "options");
    return new Image(new ImageDecoder(name, options).decode(encoded));
  }

  /** The image's pixels, shared if they are bytes or ints (the usual types are), or else converted. */
  public static Image of(BufferedImage image) {
    return new Image(Rasters.pixels(Require.nonNull(image, "image")));
  }

  /** As {@link #rgb(ByteBuffer, int, int, int)} with rows of {@code 3 * width} bytes. */
  public static Image rgb(ByteBuffer samples, int width, int height) {
    return rgb(samples, width, height, (int) Math.min(3L * width, Integer.MAX_VALUE));
  }

  /**
   * Red, green and blue bytes, row by row, starting at the buffer's position. The memory is shared; a direct buffer is
   * read in place by native backends, a heap buffer is copied at each use.
   *
   * @param rowStride bytes from a row to the next, at least {@code 3 * width}
   * @throws IllegalArgumentException if the buffer is too short or a size is wrong
   */
  public static Image rgb(ByteBuffer samples, int width, int height, int rowStride) {
    Require.nonNull(samples, "samples");
    if (width < 1 || height < 1 || rowStride < 3L * width) {
      throw new IllegalArgumentException(
          "not an image: width " + width + ", height " + height + ", row stride " + rowStride);
    }
    long needed = (height - 1L) * rowStride + 3L * width;
    if (needed > samples.remaining()) {
      throw new IllegalArgumentException(width + " x " + height + " RGB pixels at a row stride of " + rowStride
          + " take " + needed + " bytes; the buffer has " + samples.remaining());
    }
    return new Image(new Pixels(samples.slice(), 0, width, height, rowStride, 3, 0, 1, 2));
  }

  public int width() {
    return pixels.width();
  }

  public int height() {
    return pixels.height();
  }

  /** Where the samples lie. */
  public Pixels pixels() {
    return pixels;
  }

  /** {@code 640 x 480}. */
  @Override
  public String toString() {
    return width() + " x " + height();
  }
}
