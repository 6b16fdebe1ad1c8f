package io.vertebra.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Damaged images either decode or are refused by an {@link ImageException}. The mutations are the same in every run.
 */
class ImageFuzzTest {
  private static final int MUTATIONS = 6_000;
  private static final ImageOptions SMALL = ImageOptions.DEFAULT.withMaxPixels(1 << 14);

  @ParameterizedTest
  @ValueSource(strings = {"png", "jpeg", "gif", "bmp"})
  void mutated(String format) {
    byte[][] seeds = seeds(format);
    Random random = new Random(format.hashCode());
    int refused = 0;
    for (int i = 0; i < MUTATIONS; i++) {
      byte[] mutated = mutate(seeds[i % seeds.length], random);
      try {
        Image image = Image.read(mutated, format + " " + i, SMALL);
        Pixels pixels = image.pixels();
        pixels.sample(image.width() - 1, image.height() - 1, 2);
      } catch (ImageException e) {
        assertThat(e).hasMessageStartingWith(format + " " + i);
        refused++;
      }
    }
    // Neither all pass nor all fail: the mutations reach the decoders.
    assertThat(refused).isBetween(MUTATIONS / 20, MUTATIONS * 19 / 20);
  }

  private static byte[][] seeds(String format) {
    byte[] color = EncodedImages.encode(ImageTest.noise(11, 7, BufferedImage.TYPE_3BYTE_BGR), format);
    byte[] grey = EncodedImages.encode(ImageTest.noise(9, 9, BufferedImage.TYPE_BYTE_GRAY), format);
    if (format.equals("jpeg")) {
      return new byte[][] {grey, EncodedImages.withSegment(color, 0xE1, EncodedImages.exif(6, ByteOrder.LITTLE_ENDIAN)),
        EncodedImages.withSegment(color, 0xEE, EncodedImages.adobe(1))};
    }
    byte[] palette = EncodedImages.encode(ImageTest.noise(17, 5, BufferedImage.TYPE_BYTE_INDEXED), format);
    return new byte[][] {color, grey, palette,
      EncodedImages.encode(ImageTest.noise(12, 6, BufferedImage.TYPE_BYTE_BINARY), format)};
  }

  /** Changes, swaps, cuts or repeats a few bytes, at the front more often than behind. */
  private static byte[] mutate(byte[] seed, Random random) {
    byte[] bytes = seed.clone();
    for (int edits = 1 + random.nextInt(4); edits > 0; edits--) {
      int at = random.nextInt(1 + random.nextInt(bytes.length));
      switch (random.nextInt(6)) {
        case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
        case 1 -> bytes[at] = (byte) random.nextInt();
        case 2 -> bytes[at] = (byte) 0xff;
        case 3 -> bytes[at] = 0;
        case 4 -> bytes[at] = bytes[random.nextInt(bytes.length)];
        default -> bytes = random.nextInt(8) > 0 ? bytes : Arrays.copyOf(bytes, 1 + random.nextInt(bytes.length));
      }
    }
    return bytes;
  }
}
