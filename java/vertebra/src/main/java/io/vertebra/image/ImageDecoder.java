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
  /** Times that the scans of a JPEG may paint as many pixels as its file may have; usual are ten scans in parts. */
  private static final int PAINTINGS = 8;
  private static final int PNG_DEPTH = 24;
  private static final int PNG_COLOUR = 25;
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
        return read(format, encoded, isDeep(format, encoded) ? 2 : 1, 1, reader -> Rasters.pixels(reader.read(0)));
      }
      JpegSegments segments = new JpegSegments(encoded);
      Pixels pixels = segments.components() == 4
          ? read(format, encoded, 1, segments.scans(),
              reader -> Rasters.invertedCmyk(reader.readRaster(0, null), segments.isYcck()))
          : read(format, segments.withoutProfile(), 1, segments.scans(), reader -> Rasters.pixels(reader.read(0)));
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

  /** Whether this is a PNG of more than 32 bits a pixel: three or four samples of 16. */
  private static boolean isDeep(String format, byte[] encoded) {
    return format.equals("png") && encoded.length > PNG_COLOUR && encoded[PNG_DEPTH] == 16
        && (encoded[PNG_COLOUR] & 2) != 0;
  }

  /**
   * @param weight of a pixel in memory
   * @param scans each may paint the whole image
   */
  private Pixels read(String format, byte[] encoded, int weight, int scans, Decoding decoding) throws IOException {
    ImageReader reader = reader(format);
    try {
      reader.setInput(new MemoryCacheImageInputStream(new ByteArrayInputStream(encoded)), true, true);
      reader.addIIOReadWarningListener((source, warning) -> note(warning));
      checkSize(reader.getWidth(0), reader.getHeight(0), encoded.length, weight, scans);
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

  private void checkSize(int width, int height, int bytes, int weight, int scans) {
    if (width < 1 || height < 1) {
      throw failure("declares a size of " + width + " x " + height, null);
    }
    long pixels = (long) width * height;
    String declares = "declares " + width + " x " + height + " pixels";
    if (pixels > options.maxPixels()) {
      throw failure(declares + ", more than the limit of " + options.maxPixels()
          + "; raise ImageOptions.maxPixels if the source is trusted", null);
    }
    long most = options.pixels(bytes);
    if (pixels * weight > most) {
      throw failure(declares + " but has only " + bytes + " bytes, in which there may be " + most / weight
          + "; raise ImageOptions.pixelsPerByte if the source is trusted", null);
    }
    if (pixels * scans > PAINTINGS * most) {
      throw failure(declares + " in " + scans + " scans but has only " + bytes + " bytes, in which there may be "
          + PAINTINGS * most / pixels + "; raise ImageOptions.pixelsPerByte if the source is trusted", null);
    }
  }

  /**
   * The format a file begins as.
   *
   * @throws ImageException if it is none that is read
   */
  String format(byte[] encoded) {
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
