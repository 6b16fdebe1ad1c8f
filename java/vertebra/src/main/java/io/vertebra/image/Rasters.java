package io.vertebra.image;

import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.ComponentSampleModel;
import java.awt.image.DataBufferByte;
import java.awt.image.DataBufferInt;
import java.awt.image.DirectColorModel;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.awt.image.SinglePixelPackedSampleModel;
import java.nio.ByteBuffer;
import java.nio.IntBuffer;

/**
 * Java's image types as {@link Pixels}: in place where the samples are bytes, or else converted. Samples are read from
 * the raster, not through the colour model, which would convert grey and profiled colours to sRGB.
 */
final class Rasters {
  private Rasters() {}

  static Pixels pixels(BufferedImage image) {
    ColorModel colors = image.getColorModel();
    Raster raster = image.getRaster();
    Pixels pixels = null;
    if (colors instanceof IndexColorModel palette) {
      pixels = lookUp(raster, palette);
    } else if (!colors.hasAlpha() || !colors.isAlphaPremultiplied()) {
      int type = colors.getColorSpace().getType();
      if (type == ColorSpace.TYPE_GRAY) {
        pixels = bytesInPlace(raster, 1);
        pixels = pixels != null ? pixels : scaled(raster, 1);
      } else if (type == ColorSpace.TYPE_RGB && colors instanceof DirectColorModel direct) {
        pixels = intsInPlace(raster, direct);
      } else if (type == ColorSpace.TYPE_RGB) {
        pixels = bytesInPlace(raster, 3);
        pixels = pixels != null ? pixels : scaled(raster, 3);
      }
    }
    return pixels != null ? pixels : converted(image);
  }

  /**
   * CMYK as Adobe applications write it into JPEG files, inverted; Pillow takes every CMYK JPEG for such a one. With
   * {@code ycck} the first three bands are the YCbCr form of those inverted values.
   */
  static Pixels invertedCmyk(Raster raster, boolean ycck) {
    int width = raster.getWidth();
    int height = raster.getHeight();
    byte[] out = new byte[Math.multiplyExact(width * 3, height)];
    int[] row = new int[width * 4];
    int i = 0;
    for (int y = 0; y < height; y++) {
      raster.getPixels(raster.getMinX(), raster.getMinY() + y, width, 1, row);
      for (int x = 0; x < row.length; x += 4) {
        int[] inverted = {row[x], row[x + 1], row[x + 2]};
        if (ycck) {
          fromYcc(inverted);
        }
        for (int ink : inverted) {
          int white = row[x + 3];
          int product = (255 - ink) * white + 128;
          out[i++] = (byte) (white - (product + (product >> 8) >> 8));
        }
      }
    }
    return Pixels.packed(out, width, height, 3);
  }

  /** YCbCr to inverted CMY, in libjpeg's 16-bit fixed point (JFIF's equations); CMY is RGB's complement. */
  private static void fromYcc(int[] ycc) {
    int luma = ycc[0];
    int blue = ycc[1] - 128;
    int red = ycc[2] - 128;
    int half = 1 << 15;
    ycc[0] = 255 - clamp(luma + (91881 * red + half >> 16));
    ycc[1] = 255 - clamp(luma + (-22554 * blue - 46802 * red + half >> 16));
    ycc[2] = 255 - clamp(luma + (116130 * blue + half >> 16));
  }

  private static int clamp(int value) {
    return Math.max(0, Math.min(255, value));
  }

  /**
   * Interleaved bytes of one or three colours, perhaps with others between them; null if the raster is something else.
   */
  private static Pixels bytesInPlace(Raster raster, int colors) {
    if (!(raster.getSampleModel() instanceof ComponentSampleModel model)
        || !(raster.getDataBuffer() instanceof DataBufferByte data) || data.getNumBanks() != 1
        || model.getPixelStride() > 4) {
      return null;
    }
    int[] bands = model.getBandOffsets();
    int start = bands[0];
    for (int band : bands) {
      start = Math.min(start, band);
    }
    for (int band : bands) {
      if (band - start >= model.getPixelStride()) {
        return null;
      }
    }
    long offset = data.getOffset() + start - (long) raster.getSampleModelTranslateY() * model.getScanlineStride()
        - (long) raster.getSampleModelTranslateX() * model.getPixelStride();
    long end = offset + (raster.getHeight() - 1L) * model.getScanlineStride()
        + (long) raster.getWidth() * model.getPixelStride();
    byte[] bytes = data.getData();
    if (end > bytes.length) {
      return null;
    }
    int green = colors == 1 ? 0 : 1;
    int blue = colors == 1 ? 0 : 2;
    return new Pixels(ByteBuffer.wrap(bytes), (int) offset, raster.getWidth(), raster.getHeight(),
        model.getScanlineStride(), model.getPixelStride(), bands[0] - start, bands[green] - start, bands[blue] - start);
  }

  /** One int a pixel with a byte each of red, green and blue; null if the raster is something else. */
  private static Pixels intsInPlace(Raster raster, DirectColorModel colors) {
    if (!(raster.getSampleModel() instanceof SinglePixelPackedSampleModel model)
        || !(raster.getDataBuffer() instanceof DataBufferInt data) || data.getNumBanks() != 1) {
      return null;
    }
    int red = byteOf(colors.getRedMask());
    int green = byteOf(colors.getGreenMask());
    int blue = byteOf(colors.getBlueMask());
    if (red < 0 || green < 0 || blue < 0) {
      return null;
    }
    int offset = data.getOffset() - raster.getSampleModelTranslateY() * model.getScanlineStride()
        - raster.getSampleModelTranslateX();
    return new Pixels(IntBuffer.wrap(data.getData()), offset, raster.getWidth(), raster.getHeight(),
        model.getScanlineStride() * Integer.BYTES, Integer.BYTES, red, green, blue);
  }

  /** The number of the byte a mask selects, or -1. */
  private static int byteOf(int mask) {
    int shift = Integer.numberOfTrailingZeros(mask);
    return mask >>> (shift & 31) == 0xff && shift % 8 == 0 ? shift / 8 : -1;
  }

  /** The first {@code colors} bands, whatever their depth, brought to 8 bits: the high byte of deeper samples. */
  private static Pixels scaled(Raster raster, int colors) {
    int width = raster.getWidth();
    int height = raster.getHeight();
    byte[] out = new byte[Math.multiplyExact(width * colors, height)];
    int[] row = new int[width];
    for (int band = 0; band < colors; band++) {
      int bits = raster.getSampleModel().getSampleSize(band);
      if (bits > 16) {
        return null;
      }
      for (int y = 0; y < height; y++) {
        raster.getSamples(raster.getMinX(), raster.getMinY() + y, width, 1, band, row);
        for (int x = 0; x < width; x++) {
          int value = bits >= 8 ? row[x] >> bits - 8 : row[x] * 255 / ((1 << bits) - 1);
          out[(y * width + x) * colors + band] = (byte) value;
        }
      }
    }
    return Pixels.packed(out, width, height, colors);
  }

  private static Pixels lookUp(Raster raster, IndexColorModel palette) {
    int width = raster.getWidth();
    int height = raster.getHeight();
    // Black behind the palette's end, where a damaged image may point.
    int[] colors = new int[1 << palette.getPixelSize()];
    for (int i = 0; i < palette.getMapSize(); i++) {
      colors[i] = palette.getRGB(i);
    }
    byte[] out = new byte[Math.multiplyExact(width * 3, height)];
    int[] row = new int[width];
    int i = 0;
    for (int y = 0; y < height; y++) {
      raster.getSamples(raster.getMinX(), raster.getMinY() + y, width, 1, 0, row);
      for (int index : row) {
        int color = colors[index];
        out[i++] = (byte) (color >> 16);
        out[i++] = (byte) (color >> 8);
        out[i++] = (byte) color;
      }
    }
    return Pixels.packed(out, width, height, 3);
  }

  /** Through the colour model: rare types, and premultiplied alpha, which this divides out. */
  private static Pixels converted(BufferedImage image) {
    int width = image.getWidth();
    int height = image.getHeight();
    int[] colors = image.getRGB(0, 0, width, height, null, 0, width);
    return new Pixels(IntBuffer.wrap(colors), 0, width, height, width * Integer.BYTES, Integer.BYTES, 2, 1, 0);
  }
}
