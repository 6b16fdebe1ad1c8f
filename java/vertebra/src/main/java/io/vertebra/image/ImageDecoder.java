package io.vertebra.image;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Iterator;
import java.util.Locale;
import javax.imageio.IIOException;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.MemoryCacheImageInputStream;

/**
 * Decodes one image with the JDK's ImageIO readers, behind checks, and turns whatever they throw into
 * {@link ImageException}.
 */
final class ImageDecoder {
  /** No format packs more pixels into a byte: deflate's 1032:1 on one bit a pixel. A header that claims more lies. */
  private static final long MAX_PIXELS_PER_BYTE = 8 * 1032;
  private static final int BMP_COMPRESSION = 30;
  private static final int BMP_EMBEDDED_JPEG = 4;
  private static final int BMP_EMBEDDED_PNG = 5;

  private final String name;
  private final ImageOptions options;
  private boolean endMissing;
  private boolean dataMissing;

  ImageDecoder(String name, ImageOptions options) {
    this.name = name;
    this.options = options;
  }

  Pixels decode(byte[] encoded) {
    if (encoded.length > options.maxBytes()) {
      throw failure("is longer than the limit of " + options.maxBytes() + " bytes; raise ImageOptions.maxBytes", null);
    }
    String format = format(encoded);
    try {
      if (!format.equals("jpeg")) {
        return read(format, encoded, reader -> Rasters.pixels(reader.read(0)));
      }
      JpegSegments segments = new JpegSegments(encoded);
      Pixels pixels = segments.components() == 4
          ? read(format, encoded, reader -> Rasters.invertedCmyk(reader.readRaster(0, null), segments.isYcck()))
          : read(format, segments.withoutProfile(), reader -> Rasters.pixels(reader.read(0)));
      return options.exifOrientation() ? pixels.upright(segments.orientation()) : pixels;
    } catch (ImageException e) {
      throw e;
    } catch (OutOfMemoryError e) {
      throw failure("does not fit into the Java heap; raise -Xmx or lower ImageOptions.maxPixels", e);
    } catch (IOException | RuntimeException e) {
      // The readers answer damaged files with exceptions of many kinds.
      throw failure(
          "is damaged, cut off, or a kind of " + format.toUpperCase(Locale.ROOT) + " that is not supported (" + e + ")",
          e);
    }
  }

  @FunctionalInterface
  private interface Decoding {
    Pixels decode(ImageReader reader) throws IOException;
  }

  private Pixels read(String format, byte[] encoded, Decoding decoding) throws IOException {
    ImageReader reader = reader(format);
    try {
      reader.setInput(new MemoryCacheImageInputStream(new ByteArrayInputStream(encoded)), true, true);
      reader.addIIOReadWarningListener((source, warning) -> note(warning));
      checkSize(reader.getWidth(0), reader.getHeight(0), encoded.length);
      Pixels pixels = decoding.decode(reader);
      if (endMissing && dataMissing) {
        throw failure("is cut off: the image data end early", null);
      }
      return pixels;
    } finally {
      reader.dispose();
    }
  }

  /**
   * The JPEG reader fills what is missing with grey and only warns. A missing end marker alone is harmless, and data
   * that stop early inside a file that goes on are damage that other decoders accept, too; both together are a file cut
   * off.
   */
  private void note(String warning) {
    endMissing |= warning.contains("EOI");
    dataMissing |= warning.contains("premature end");
  }

  private void checkSize(int width, int height, int bytes) {
    if (width < 1 || height < 1) {
      throw failure("declares a size of " + width + " x " + height, null);
    }
    long pixels = (long) width * height;
    if (pixels > options.maxPixels()) {
      throw failure("declares " + width + " x " + height + " pixels, more than the limit of " + options.maxPixels()
          + "; raise ImageOptions.maxPixels if the source is trusted", null);
    }
    if (pixels > MAX_PIXELS_PER_BYTE * bytes) {
      throw failure("declares " + width + " x " + height + " pixels but has only " + bytes + " bytes", null);
    }
  }

  private String format(byte[] encoded) {
    if (encoded.length == 0) {
      throw failure("is empty", null);
    }
    if (starts(encoded, 0xFF, 0xD8)) {
      return "jpeg";
    } else if (starts(encoded, 0x89, 'P', 'N', 'G')) {
      return "png";
    } else if (starts(encoded, 'G', 'I', 'F', '8')) {
      return "gif";
    } else if (starts(encoded, 'B', 'M')) {
      int compression = encoded.length > BMP_COMPRESSION ? encoded[BMP_COMPRESSION] : 0;
      if (compression == BMP_EMBEDDED_JPEG || compression == BMP_EMBEDDED_PNG) {
        throw failure("is a BMP around a JPEG or PNG, which is not supported", null);
      }
      return "bmp";
    }
    throw failure("is not an image this reads; supported are JPEG, PNG, BMP and GIF, whatever the file's name", null);
  }

  private static boolean starts(byte[] bytes, int... prefix) {
    for (int i = 0; i < prefix.length; i++) {
      if (i >= bytes.length || (bytes[i] & 0xff) != prefix[i]) {
        return false;
      }
    }
    return true;
  }

  /** The JDK's own reader, so that plug-ins on the class path do not change results. */
  private static ImageReader reader(String format) throws IOException {
    ImageIoStart.require();
    for (Iterator<ImageReader> readers = ImageIO.getImageReadersByFormatName(format); readers.hasNext();) {
      ImageReader reader = readers.next();
      if (reader.getClass().getName().startsWith("com.sun.imageio.")) {
        return reader;
      }
    }
    throw new IIOException("this JDK has no reader for it; use one with the module java.desktop");
  }

  private ImageException failure(String cause, Throwable thrown) {
    return new ImageException(name + ": " + cause, thrown);
  }
}
