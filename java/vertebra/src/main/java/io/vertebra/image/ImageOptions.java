package io.vertebra.image;

/**
 * How image files are read, and how much they may cost. What a file costs grows with its pixels, not its bytes, so the
 * limit of pixels grows with the bytes: {@code 2^24 + pixelsPerByte * bytes}, and never over {@code maxPixels}. With
 * the defaults no file under a megabyte takes more than a second or 256 MB; a photograph has one to ten pixels a byte.
 *
 * @param maxPixels images that declare more are refused before memory is allocated for them
 * @param maxBytes encoded images longer than this are refused
 * @param pixelsPerByte pixels that a byte of a file may stand for, beyond the first 2^24; those of more than 32 bits
 *   count twice, and the scans of a JPEG together may paint eight times as many
 * @param exifOrientation whether a JPEG is turned upright as its EXIF orientation says. The published evaluations
 *   ignore it; on ImageNet that makes no difference worth mentioning, on a phone's photographs it does.
 */
public record ImageOptions(long maxPixels, int maxBytes, int pixelsPerByte, boolean exifOrientation) {
  /**
   * The size from which Pillow, too, refuses an image: 178,956,970 pixels. Files up to 256 MiB; 24 pixels a byte;
   * orientation honoured.
   */
  public static final ImageOptions DEFAULT = new ImageOptions(178_956_970, 256 << 20, 24, true);

  private static final long FREE_PIXELS = 1 << 24;

  public ImageOptions {
    if (maxPixels < 1 || maxBytes < 1 || pixelsPerByte < 1) {
      throw new IllegalArgumentException("limits must be at least 1: " + maxPixels + " pixels, " + maxBytes + " bytes, "
          + pixelsPerByte + " pixels a byte");
    }
  }

  public ImageOptions withMaxPixels(long pixels) {
    return new ImageOptions(pixels, maxBytes, pixelsPerByte, exifOrientation);
  }

  public ImageOptions withMaxBytes(int bytes) {
    return new ImageOptions(maxPixels, bytes, pixelsPerByte, exifOrientation);
  }

  public ImageOptions withPixelsPerByte(int pixels) {
    return new ImageOptions(maxPixels, maxBytes, pixels, exifOrientation);
  }

  public ImageOptions withExifOrientation(boolean honoured) {
    return new ImageOptions(maxPixels, maxBytes, pixelsPerByte, honoured);
  }

  /** Pixels that a file of so many bytes may have. */
  long pixels(int bytes) {
    return FREE_PIXELS + (long) pixelsPerByte * bytes;
  }
}
