package io.vertebra.image;

/**
 * How image files are read.
 *
 * @param maxPixels images that declare more are refused before memory is allocated for them
 * @param maxBytes encoded images longer than this are refused
 * @param exifOrientation whether a JPEG is turned upright as its EXIF orientation says. The published evaluations
 *   ignore it; on ImageNet that makes no difference worth mentioning, on a phone's photographs it does.
 */
public record ImageOptions(long maxPixels, int maxBytes, boolean exifOrientation) {
  /**
   * The size from which Pillow, too, refuses an image: 178,956,970 pixels. Files up to 256 MiB; orientation honoured.
   */
  public static final ImageOptions DEFAULT = new ImageOptions(178_956_970, 256 << 20, true);

  public ImageOptions {
    if (maxPixels < 1 || maxBytes < 1) {
      throw new IllegalArgumentException("limits must be at least 1: " + maxPixels + " pixels, " + maxBytes + " bytes");
    }
  }

  public ImageOptions withMaxPixels(long pixels) {
    return new ImageOptions(pixels, maxBytes, exifOrientation);
  }

  public ImageOptions withMaxBytes(int bytes) {
    return new ImageOptions(maxPixels, bytes, exifOrientation);
  }

  public ImageOptions withExifOrientation(boolean honoured) {
    return new ImageOptions(maxPixels, maxBytes, honoured);
  }
}
