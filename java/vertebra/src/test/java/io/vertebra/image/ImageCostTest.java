package io.vertebra.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.util.zip.CRC32;
import java.util.zip.DeflaterOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Files that take much more than their size lets expect. */
class ImageCostTest {
  private static byte[] attack(String name) throws IOException {
    try (InputStream in = ImageCostTest.class.getResourceAsStream("/attack/" + name)) {
      return in.readAllBytes();
    }
  }

  @ParameterizedTest
  @CsvSource({"pjpeg_100.jpg, 6320 x 6320", "pjpeg_2000.jpg, 6320 x 6320", "bomb1.png, 13370 x 13370"})
  void pixelsOutOfProportionAreRefused(String name, String size) throws IOException {
    byte[] bytes = attack(name);
    assertThatThrownBy(() -> Image.read(bytes, name)).isInstanceOf(ImageException.class).hasMessageContaining(size)
        .hasMessageContaining("ImageOptions.pixelsPerByte");
  }

  @Test
  void scansOutOfProportionAreRefused() throws IOException {
    ImageOptions pixelsOnly = ImageOptions.DEFAULT.withPixelsPerByte(300);
    byte[] bytes = attack("pjpeg_2000.jpg");
    assertThatThrownBy(() -> Image.read(bytes, "many scans", pixelsOnly)).isInstanceOf(ImageException.class)
        .hasMessageContaining("in 2001 scans");
  }

  /** 16 bits a sample: twice the memory, so half the pixels. */
  @Test
  void deepPixelsCountTwice() throws IOException {
    byte[] shallow = png(4000, 4000, 8);
    byte[] deep = png(4000, 4000, 16);
    assertThat(Image.read(shallow, "8 bits").width()).isEqualTo(4000);
    assertThatThrownBy(() -> Image.read(deep, "16 bits")).isInstanceOf(ImageException.class)
        .hasMessageContaining("pixelsPerByte");
    assertThat(Image.read(deep, "16 bits", ImageOptions.DEFAULT.withPixelsPerByte(10_000)).height()).isEqualTo(4000);
  }

  @Test
  void anEndlessStreamIsReadNoFurtherThanItsFormatOrTheLimit() {
    assertThatThrownBy(() -> Image.read(new Endless(), "zeros")).isInstanceOf(ImageException.class)
        .hasMessageContaining("not an image");
    InputStream jpeg = new SequenceInputStream(new ByteArrayInputStream(new byte[] {-1, -40}), new Endless());
    assertThatThrownBy(() -> Image.read(jpeg, "jpeg", ImageOptions.DEFAULT.withMaxBytes(1 << 20)))
        .isInstanceOf(ImageException.class).hasMessageContaining("ImageOptions.maxBytes");
  }

  /** Zeros without end, of which only so many may be asked for. */
  private static final class Endless extends InputStream {
    private long given;

    @Override
    public int read() {
      assertThat(++given).isLessThan(1 << 22);
      return 0;
    }
  }

  /** A black image, whose rows deflate to almost nothing. */
  private static byte[] png(int width, int height, int depth) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.writeBytes(new byte[] {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'});
    chunk(bytes, "IHDR", new byte[] {0, 0, (byte) (width >> 8), (byte) width, 0, 0, (byte) (height >> 8), (byte) height,
      (byte) depth, 2, 0, 0, 0});
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    try (DeflaterOutputStream deflater = new DeflaterOutputStream(data)) {
      byte[] row = new byte[1 + width * 3 * depth / 8];
      for (int y = 0; y < height; y++) {
        deflater.write(row);
      }
    }
    chunk(bytes, "IDAT", data.toByteArray());
    chunk(bytes, "IEND", new byte[0]);
    return bytes.toByteArray();
  }

  private static void chunk(ByteArrayOutputStream into, String type, byte[] data) {
    CRC32 crc = new CRC32();
    byte[] name = type.getBytes(java.nio.charset.StandardCharsets.US_ASCII);
    crc.update(name);
    crc.update(data);
    into.writeBytes(java.nio.ByteBuffer.allocate(4).putInt(data.length).array());
    into.writeBytes(name);
    into.writeBytes(data);
    into.writeBytes(java.nio.ByteBuffer.allocate(4).putInt((int) crc.getValue()).array());
  }
}
