package io.vertebra.image;

import java.awt.image.BufferedImage;
import java.awt.image.Raster;
import java.awt.image.RenderedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageWriteParam;
import javax.imageio.ImageWriter;
import javax.imageio.stream.MemoryCacheImageOutputStream;

/** Makes encoded images for tests. */
final class EncodedImages {
  private EncodedImages() {}

  static byte[] encode(BufferedImage image, String format) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try {
      if (!ImageIO.write(image, format, out)) {
        throw new IllegalStateException("no writer makes a " + format + " of " + image);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  /** Best quality, without any APP segment at the front. */
  static byte[] jpeg(RenderedImage image) {
    return jpeg(new IIOImage(image, null, null));
  }

  /** Bands as they are, such as CMYK. */
  static byte[] jpeg(Raster raster) {
    return jpeg(new IIOImage(raster, null, null));
  }

  private static byte[] jpeg(IIOImage image) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ImageWriter writer = ImageIO.getImageWritersByFormatName("jpeg").next();
    try (MemoryCacheImageOutputStream stream = new MemoryCacheImageOutputStream(out)) {
      ImageWriteParam param = writer.getDefaultWriteParam();
      param.setCompressionMode(ImageWriteParam.MODE_EXPLICIT);
      param.setCompressionQuality(1);
      writer.setOutput(stream);
      writer.write(null, image, param);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      writer.dispose();
    }
    return out.toByteArray();
  }

  /** The JPEG with a segment put in front of its others. */
  static byte[] withSegment(byte[] jpeg, int marker, byte[] content) {
    return ByteBuffer.allocate(jpeg.length + content.length + 4).put(jpeg, 0, 2).put((byte) 0xff).put((byte) marker)
        .putShort((short) (content.length + 2)).put(content).put(jpeg, 2, jpeg.length - 2).array();
  }

  /** An EXIF segment's content that holds an orientation among other entries. */
  static byte[] exif(int orientation, ByteOrder order) {
    ByteBuffer exif = ByteBuffer.allocate(6 + 8 + 2 + 2 * 12 + 4).put("Exif\0\0".getBytes(StandardCharsets.US_ASCII));
    exif.put(order == ByteOrder.BIG_ENDIAN ? new byte[] {'M', 'M'} : new byte[] {'I', 'I'}).order(order);
    exif.putShort((short) 42).putInt(8).putShort((short) 2);
    exif.putShort((short) 0x0100).putShort((short) 4).putInt(1).putInt(640);
    exif.putShort((short) 0x0112).putShort((short) 3).putInt(1).putShort((short) orientation).putShort((short) 0);
    return exif.putInt(0).array();
  }

  /** An Adobe segment's content. */
  static byte[] adobe(int transform) {
    return new byte[] {'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, (byte) transform};
  }
}
