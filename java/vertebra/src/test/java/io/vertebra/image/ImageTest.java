package io.vertebra.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.awt.Transparency;
import java.awt.color.ColorSpace;
import java.awt.color.ICC_Profile;
import java.awt.image.BufferedImage;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.awt.image.WritableRaster;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ImageTest {
  @ParameterizedTest
  @CsvSource({"png, 5", "png, 6", "png, 1", "bmp, 5", "bmp, 1"})
  void losslessColours(String format, int type) {
    BufferedImage source = noise(23, 17, type);
    Image image = Image.read(EncodedImages.encode(source, format), "test");
    assertThat(image.toString()).isEqualTo("23 x 17");
    for (int y = 0; y < 17; y++) {
      for (int x = 0; x < 23; x++) {
        assertThat(color(image, x, y)).isEqualTo(source.getRGB(x, y) & 0xffffff);
      }
    }
  }

  @Test
  void palettesOfEveryDepth() {
    for (int bits : new int[] {1, 2, 4, 8}) {
      int colors = 1 << bits;
      byte[][] palette = new byte[3][colors];
      Random random = new Random(bits);
      for (byte[] channel : palette) {
        random.nextBytes(channel);
      }
      IndexColorModel model = new IndexColorModel(bits, colors, palette[0], palette[1], palette[2]);
      int type = bits == 8 ? BufferedImage.TYPE_BYTE_INDEXED : BufferedImage.TYPE_BYTE_BINARY;
      BufferedImage source = new BufferedImage(13, 9, type, model);
      WritableRaster raster = source.getRaster();
      for (int i = 0; i < 13 * 9; i++) {
        raster.setSample(i % 13, i / 13, 0, i % colors);
      }
      for (String format : new String[] {"png", "gif", "bmp"}) {
        if (format.equals("bmp") && bits == 2) {
          continue; // BMP has no such depth
        }
        Image image = Image.read(EncodedImages.encode(source, format), format);
        for (int i = 0; i < 13 * 9; i++) {
          assertThat(color(image, i % 13, i / 13)).as(format + " " + bits)
              .isEqualTo(model.getRGB(i % colors) & 0xffffff);
        }
      }
    }
  }

  @Test
  void greyKeepsItsSamples() {
    BufferedImage grey = new BufferedImage(16, 16, BufferedImage.TYPE_BYTE_GRAY);
    for (int i = 0; i < 256; i++) {
      grey.getRaster().setSample(i % 16, i / 16, 0, i);
    }
    for (Image image : new Image[] {Image.of(grey), Image.read(EncodedImages.encode(grey, "png"), "png"),
      Image.read(EncodedImages.encode(grey, "bmp"), "bmp")}) {
      for (int i = 0; i < 256; i++) {
        assertThat(color(image, i % 16, i / 16)).isEqualTo(i * 0x010101);
      }
    }
    // A flat block survives JPEG unchanged.
    BufferedImage flat = new BufferedImage(8, 8, BufferedImage.TYPE_BYTE_GRAY);
    for (int i = 0; i < 64; i++) {
      flat.getRaster().setSample(i % 8, i / 8, 0, 77);
    }
    assertThat(color(Image.read(EncodedImages.jpeg(flat), "jpeg"), 3, 3)).isEqualTo(77 * 0x010101);
  }

  @Test
  void sixteenBitsKeepTheHighByte() {
    BufferedImage grey = new BufferedImage(16, 16, BufferedImage.TYPE_USHORT_GRAY);
    ComponentColorModel model = new ComponentColorModel(ColorSpace.getInstance(ColorSpace.CS_sRGB), false, false,
        Transparency.OPAQUE, DataBuffer.TYPE_USHORT);
    BufferedImage rgb = new BufferedImage(model, model.createCompatibleWritableRaster(16, 16), false, null);
    for (int i = 0; i < 256; i++) {
      grey.getRaster().setSample(i % 16, i / 16, 0, i << 8 | 255 - i);
      rgb.getRaster().setPixel(i % 16, i / 16, new int[] {i << 8 | 7, 255 - i << 8 | 200, 0xffff});
    }
    Image fromGrey = Image.read(EncodedImages.encode(grey, "png"), "grey");
    Image fromRgb = Image.read(EncodedImages.encode(rgb, "png"), "rgb");
    for (int i = 0; i < 256; i++) {
      assertThat(color(fromGrey, i % 16, i / 16)).isEqualTo(i * 0x010101);
      assertThat(color(fromRgb, i % 16, i / 16)).isEqualTo(i << 16 | 255 - i << 8 | 255);
    }
  }

  @Test
  void alphaIsDroppedWithoutTouchingColours() {
    BufferedImage source = noise(9, 9, BufferedImage.TYPE_INT_ARGB);
    Image image = Image.read(EncodedImages.encode(source, "png"), "alpha");
    Image shared = Image.of(source);
    ComponentColorModel model = new ComponentColorModel(ColorSpace.getInstance(ColorSpace.CS_GRAY), true, false,
        Transparency.TRANSLUCENT, DataBuffer.TYPE_BYTE);
    BufferedImage greyAlpha = new BufferedImage(model, model.createCompatibleWritableRaster(9, 9), false, null);
    for (int i = 0; i < 81; i++) {
      greyAlpha.getRaster().setPixel(i % 9, i / 9, new int[] {3 * i, 255 - 3 * i});
    }
    Image grey = Image.read(EncodedImages.encode(greyAlpha, "png"), "grey and alpha");
    for (int i = 0; i < 81; i++) {
      assertThat(color(image, i % 9, i / 9)).isEqualTo(source.getRGB(i % 9, i / 9) & 0xffffff);
      assertThat(color(shared, i % 9, i / 9)).isEqualTo(source.getRGB(i % 9, i / 9) & 0xffffff);
      assertThat(color(grey, i % 9, i / 9)).isEqualTo(3 * i * 0x010101);
    }
  }

  @Test
  void cmyk() {
    WritableRaster raster = Raster.createInterleavedRaster(DataBuffer.TYPE_BYTE, 16, 16, 4, null);
    for (int i = 0; i < 256; i++) {
      raster.setPixel(i % 16, i / 16, new int[] {200, 100, 50, 150});
    }
    byte[] plain = EncodedImages.jpeg(raster);
    // Samples are inverted inks: red is the cyan sample times the black sample.
    for (byte[] jpeg : new byte[][] {plain, EncodedImages.withSegment(plain, 0xEE, EncodedImages.adobe(0))}) {
      assertThat(color(Image.read(jpeg, "cmyk"), 4, 4))
          .isEqualTo(product(200, 150) << 16 | product(100, 150) << 8 | product(50, 150));
    }
    // Y 200, Cb 100, Cr 50 are red 91, green 255, blue 150; the inverted inks are their complements.
    Image ycck = Image.read(EncodedImages.withSegment(plain, 0xEE, EncodedImages.adobe(2)), "ycck");
    assertThat(color(ycck, 4, 4)).isEqualTo(product(255 - 91, 150) << 16 | product(255 - 150, 150));
  }

  private static int product(int a, int b) {
    return Math.round(a * b / 255f);
  }

  @Test
  void embeddedProfilesAreIgnored() throws IOException {
    BufferedImage source = new BufferedImage(16, 16, BufferedImage.TYPE_3BYTE_BGR);
    for (int i = 0; i < 256; i++) {
      source.setRGB(i % 16, i / 16, 0xC86432);
    }
    byte[] plain = EncodedImages.jpeg(source);
    ICC_Profile linear = ICC_Profile.getInstance(ColorSpace.CS_LINEAR_RGB);
    byte[] segment
        = ByteBuffer.allocate(14 + linear.getData().length).put("ICC_PROFILE\0".getBytes(StandardCharsets.US_ASCII))
            .put((byte) 1).put((byte) 1).put(linear.getData()).array();
    byte[] profiled = EncodedImages.withSegment(plain, 0xE2, segment);
    byte[] kept = profiled.clone();
    assertThat(color(Image.read(profiled, "profiled"), 5, 5)).isEqualTo(color(Image.read(plain, "plain"), 5, 5))
        .isEqualTo(0xC86432);
    assertThat(profiled).isEqualTo(kept);
  }

  @Test
  void orientations() {
    BufferedImage source = new BufferedImage(32, 16, BufferedImage.TYPE_3BYTE_BGR);
    int[] corners = {0xFF0000, 0x00FF00, 0x0000FF, 0xFFFF00}; // top left, top right, bottom left, bottom right
    for (int y = 0; y < 16; y++) {
      for (int x = 0; x < 32; x++) {
        source.setRGB(x, y, corners[y / 8 * 2 + x / 16]);
      }
    }
    byte[] plain = EncodedImages.jpeg(source);
    // Which of the stored corners the viewer sees at the top left, top right, bottom left, bottom right.
    String[] seen = {"0123", "1032", "3210", "2301", "0213", "2031", "3120", "1302"};
    for (int orientation = 1; orientation <= 8; orientation++) {
      for (ByteOrder order : new ByteOrder[] {ByteOrder.BIG_ENDIAN, ByteOrder.LITTLE_ENDIAN}) {
        byte[] tagged = EncodedImages.withSegment(plain, 0xE1, EncodedImages.exif(orientation, order));
        Image upright = Image.read(tagged, "exif " + orientation);
        boolean turned = orientation > 4;
        assertThat(upright.width()).isEqualTo(turned ? 16 : 32);
        assertThat(upright.height()).isEqualTo(turned ? 32 : 16);
        for (int corner = 0; corner < 4; corner++) {
          int x = upright.width() * (1 + 2 * (corner % 2)) / 4;
          int y = upright.height() * (1 + 2 * (corner / 2)) / 4;
          int expected = corners[seen[orientation - 1].charAt(corner) - '0'];
          for (int channel = 0; channel < 3; channel++) {
            int difference = upright.pixels().sample(x, y, channel) - (expected >> 16 - 8 * channel & 0xff);
            assertThat(Math.abs(difference)).as("orientation %d corner %d", orientation, corner).isLessThan(10);
          }
        }
        Image stored = Image.read(tagged, "exif", ImageOptions.DEFAULT.withExifOrientation(false));
        assertThat(stored.width()).isEqualTo(32);
      }
    }
  }

  @Test
  void malformedExifIsPassedOver() {
    byte[] plain = EncodedImages.jpeg(noise(8, 8, BufferedImage.TYPE_3BYTE_BGR));
    byte[] exif = EncodedImages.exif(6, ByteOrder.BIG_ENDIAN);
    Random random = new Random(3);
    for (int i = 0; i < 2000; i++) {
      byte[] broken = Arrays.copyOf(exif, 6 + random.nextInt(exif.length - 6));
      for (int j = 0; j < 3 && broken.length > 6; j++) {
        broken[6 + random.nextInt(broken.length - 6)] = (byte) random.nextInt();
      }
      assertThat(Image.read(EncodedImages.withSegment(plain, 0xE1, broken), "broken").width()).isEqualTo(8);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"png", "gif", "bmp", "jpeg"})
  void onePixel(String format) {
    BufferedImage pixel = new BufferedImage(1, 1, BufferedImage.TYPE_3BYTE_BGR);
    pixel.setRGB(0, 0, 0xffffff);
    Image image = Image.read(EncodedImages.encode(pixel, format), "pixel");
    assertThat(image.toString()).isEqualTo("1 x 1");
    assertThat(color(image, 0, 0)).isEqualTo(0xffffff);
  }

  @ParameterizedTest
  @ValueSource(strings = {"png", "gif", "bmp", "jpeg"})
  void cutOff(String format) {
    byte[] whole = EncodedImages.encode(noise(40, 30, BufferedImage.TYPE_3BYTE_BGR), format);
    for (int length = 1; length < whole.length * 9 / 10; length += 7) {
      byte[] part = Arrays.copyOf(whole, length);
      assertThatThrownBy(() -> Image.read(part, "part." + format)).isInstanceOf(ImageException.class)
          .hasMessageStartingWith("part." + format);
    }
  }

  @Test
  void refusals(@TempDir Path folder) throws IOException {
    assertRefused(() -> Image.read(folder.resolve("none.jpg")), "none.jpg", "no such file");
    assertRefused(() -> Image.read(folder), "folder");
    Path text = Files.writeString(folder.resolve("text.jpg"), "This is no photograph.");
    assertRefused(() -> Image.read(text), "text.jpg", "JPEG, PNG, BMP and GIF");
    Path empty = Files.createFile(folder.resolve("empty.png"));
    assertRefused(() -> Image.read(empty), "empty.png", "is empty");

    byte[] png = EncodedImages.encode(noise(100, 100, BufferedImage.TYPE_3BYTE_BGR), "png");
    assertRefused(() -> Image.read(png, "big", ImageOptions.DEFAULT.withMaxPixels(9_999)), "big", "100 x 100",
        "maxPixels");
    assertRefused(() -> Image.read(png, "long", ImageOptions.DEFAULT.withMaxBytes(100)), "long", "maxBytes");
    assertRefused(() -> Image.read(new ByteArrayInputStream(png), "stream", ImageOptions.DEFAULT.withMaxBytes(100)),
        "stream", "maxBytes");

    byte[] bomb = png.clone();
    ByteBuffer.wrap(bomb).putInt(16, 20_000).putInt(20, 20_000);
    assertRefused(() -> Image.read(bomb, "bomb"), "bomb", "20000 x 20000");
    ByteBuffer.wrap(bomb).putInt(16, 13_000).putInt(20, 13_000);
    assertRefused(() -> Image.read(Arrays.copyOf(bomb, 1000), "liar"), "liar", "only 1000 bytes");

    byte[] wrapped = EncodedImages.encode(noise(8, 8, BufferedImage.TYPE_3BYTE_BGR), "bmp");
    wrapped[30] = 4;
    assertRefused(() -> Image.read(wrapped, "wrapped.bmp"), "wrapped.bmp", "BMP around");
  }

  private static void assertRefused(Runnable reading, String... parts) {
    assertThatThrownBy(reading::run).isInstanceOf(ImageException.class).hasMessageContainingAll(parts);
  }

  private static int color(Image image, int x, int y) {
    Pixels pixels = image.pixels();
    return pixels.sample(x, y, 0) << 16 | pixels.sample(x, y, 1) << 8 | pixels.sample(x, y, 2);
  }

  static BufferedImage noise(int width, int height, int type) {
    Random random = new Random(width * 31L + height);
    BufferedImage image = new BufferedImage(width, height, type);
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        image.setRGB(x, y, random.nextInt());
      }
    }
    return image;
  }
}
