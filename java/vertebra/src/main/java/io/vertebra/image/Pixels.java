package io.vertebra.image;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.IntBuffer;

/**
 * Where an image's 8-bit samples lie in memory, as backends read them. A pixel is {@code pixelStride} bytes, of which
 * those at {@code red}, {@code green} and {@code blue} count; a grey image has all three at the same place. In an
 * {@link IntBuffer} the bytes of an element are numbered from the least significant one.
 *
 * @param data a {@link ByteBuffer}, or an {@link IntBuffer} with one element a pixel
 * @param offset index in {@code data} of the first pixel, in elements
 * @param rowStride bytes from a row to the next
 * @param pixelStride bytes from a pixel to the next, 1 to 4
 */
public record Pixels(Buffer data, int offset, int width, int height, int rowStride, int pixelStride, int red, int green,
    int blue) {
  public Pixels {
    int element = data instanceof IntBuffer ? Integer.BYTES : 1;
    long end = offset + ((height - 1L) * rowStride + (long) width * pixelStride) / element;
    if (width < 1 || height < 1 || offset < 0 || end > data.capacity()) {
      throw new IllegalArgumentException(width + " x " + height + " pixels do not fit a buffer of " + data.capacity());
    }
  }

  /** Pixels of three bytes (red, green, blue), or one if grey, without gaps. */
  static Pixels packed(byte[] samples, int width, int height, int channels) {
    int last = channels - 1;
    return new Pixels(ByteBuffer.wrap(samples), 0, width, height, width * channels, channels, 0, Math.min(1, last),
        last);
  }

  /** A sample, 0 to 255; channels are red, green and blue. */
  public int sample(int x, int y, int channel) {
    int at = channel == 0 ? red : channel == 1 ? green : blue;
    long position = (long) y * rowStride + (long) x * pixelStride;
    if (data instanceof IntBuffer ints) {
      return ints.get((int) (offset + position / Integer.BYTES)) >> 8 * at & 0xff;
    }
    return ((ByteBuffer) data).get((int) (offset + position + at)) & 0xff;
  }

  /**
   * A copy turned upright, for an orientation as EXIF numbers it, 1 to 8 (JEITA CP-3451, tag 274). For bytes on the
   * heap.
   */
  Pixels upright(int orientation) {
    if (orientation == 1) {
      return this;
    }
    boolean turned = orientation >= 5;
    boolean mirrorX = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    boolean mirrorY = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    int stepX = mirrorX ? -pixelStride : pixelStride;
    int stepY = mirrorY ? -rowStride : rowStride;
    int start = offset + (mirrorX ? (width - 1) * pixelStride : 0) + (mirrorY ? (height - 1) * rowStride : 0);
    int toWidth = turned ? height : width;
    int toHeight = turned ? width : height;
    int columnStep = turned ? stepY : stepX;
    int rowStep = turned ? stepX : stepY;
    byte[] from = ((ByteBuffer) data).array();
    byte[] to = new byte[Math.multiplyExact(toWidth * 3, toHeight)];
    int i = 0;
    for (int y = 0; y < toHeight; y++) {
      int at = start + y * rowStep;
      for (int x = 0; x < toWidth; x++, at += columnStep) {
        to[i++] = from[at + red];
        to[i++] = from[at + green];
        to[i++] = from[at + blue];
      }
    }
    return packed(to, toWidth, toHeight, 3);
  }
}
