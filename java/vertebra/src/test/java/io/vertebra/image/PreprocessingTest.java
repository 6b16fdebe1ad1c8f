package io.vertebra.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import io.vertebra.backbone.StatedPreprocessing;
import io.vertebra.backend.Backend;
import io.vertebra.backend.Preprocessor;
import io.vertebra.backend.Program;
import io.vertebra.cpu.CpuBackend;
import io.vertebra.image.Preprocessing.Channels;
import io.vertebra.image.Preprocessing.Layout;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.tensor.VertebraException;
import java.awt.image.BufferedImage;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PreprocessingTest {
  private static final Channels ZERO = new Channels(0, 0, 0);
  private static final Channels ONE = new Channels(1, 1, 1);

  @Test
  void sizesOfTheFamilies() {
    int[][] rules = {{128, 146}, {160, 182}, {192, 219}, {224, 256}, {256, 292}, {384, 438}};
    for (int[] rule : rules) {
      assertThat(Preprocessing.official(rule[0]).resize()).isEqualTo(new Resize.ShorterSide(rule[1]));
    }
    assertThat(Preprocessing.timm(224, 0.9).resize()).isEqualTo(new Resize.ShorterSide(248));
    assertThat(Preprocessing.timm(224, 0.95).resize()).isEqualTo(new Resize.ShorterSide(235));
    assertThat(Preprocessing.timm(384, 1).resize()).isEqualTo(new Resize.ShorterSide(384));
  }

  @Test
  void surplusIsHalvedToEven() {
    int[][] cases = {{1, 0}, {2, 1}, {3, 2}, {5, 2}, {11, 6}, {27, 14}, {33, 16}, {37, 18}};
    for (int[] surplus : cases) {
      Preprocessing recipe
          = new Preprocessing(new Resize.Squash(10 + surplus[0], 10), Filter.BICUBIC, 10, 10, ZERO, ONE);
      assertThat(recipe.layout(50, 60).top()).isEqualTo(surplus[1]);
    }
  }

  @Test
  void smallerThanTheCropIsPaddedWithBlack() {
    Preprocessing recipe = new Preprocessing(new Resize.Squash(4, 3), Filter.BICUBIC, 9, 8, ZERO, ONE);
    assertThat(recipe.layout(3, 4)).isEqualTo(new Layout(3, 4, -2, -2));
    byte[] white = new byte[36];
    Arrays.fill(white, (byte) 255);
    try (CpuBackend backend = new CpuBackend(1)) {
      float[] values = PreprocessingGoldenTest.apply(backend, recipe, Image.rgb(ByteBuffer.wrap(white), 3, 4));
      for (int y = 0; y < 9; y++) {
        for (int x = 0; x < 8; x++) {
          assertThat(values[(y * 8 + x) * 3]).isEqualTo(y >= 2 && y < 6 && x >= 2 && x < 5 ? 1f : 0f);
        }
      }
    }
  }

  @Test
  void normalisationIsThreeOperations() {
    Preprocessing digits = Preprocessing.squash(32).normalised(new Channels(0.1307f, 0.1307f, 0.1307f),
        new Channels(0.3081f, 0.3081f, 0.3081f));
    assertThat(digits.normalisedSamples()[512 + 200]).isEqualTo((200 / 255f - 0.1307f) / 0.3081f);
  }

  @Test
  void metadataOfCheckpoints() {
    assertThat(StatedPreprocessing.of(Preprocessing.official(224), Map.of())).isEqualTo(Preprocessing.official(224));
    assertThat(StatedPreprocessing.of(Preprocessing.squash(384), Map.of())).isEqualTo(Preprocessing.squash(384));
    assertThat(StatedPreprocessing.of(Preprocessing.official(224), Map.of("crop_pct", "0.9")))
        .isEqualTo(Preprocessing.timm(224, 0.9));
    assertThat(StatedPreprocessing.of(Preprocessing.official(384), Map.of("crop_pct", "1.0", "crop_mode", "squash")))
        .isEqualTo(Preprocessing.squash(384));
    assertThat(
        StatedPreprocessing.of(Preprocessing.timm(192, 256, 1), Map.of("crop_pct", "0.9", "interpolation", "bicubic")))
        .isEqualTo(Preprocessing.timm(192, 256, 0.9));
    assertThat(StatedPreprocessing.of(Preprocessing.official(224), Map.of("input_size", "224")))
        .isEqualTo(Preprocessing.official(224));
    assertThat(StatedPreprocessing.of(Preprocessing.official(224), Map.of("input_size", "32", "crop_pct", "1.0")))
        .isEqualTo(Preprocessing.timm(32, 1));
    assertThat(StatedPreprocessing.of(Preprocessing.official(224), Map.of("input_size", "[3, 192, 256]")))
        .isEqualTo(Preprocessing.timm(192, 256, 0.875));
    Map<String, String> everything
        = Map.of("crop_pct", "1.0", "interpolation", "bilinear", "mean", "[0.5, 0.5, 0.5]", "std", "[0.25,0.5,1]");
    assertThat(StatedPreprocessing.of(Preprocessing.official(32), everything)).isEqualTo(Preprocessing.timm(32, 1)
        .filtered(Filter.BILINEAR).normalised(Preprocessing.INCEPTION, new Channels(0.25f, 0.5f, 1)));
    for (String[] entry : new String[][] {{"crop_pct", "7"}, {"interpolation", "nearest"}, {"mean", "[1]"},
      {"input_size", "0"}, {"input_size", "[3, 224]"}, {"input_size", "99999"}}) {
      assertThatThrownBy(() -> StatedPreprocessing.of(Preprocessing.official(224), Map.of(entry[0], entry[1])))
          .isInstanceOf(VertebraException.class).hasMessageContaining(entry[0] + " = " + entry[1]);
    }
  }

  /** Every memory layout gives what plain RGB gives. */
  @ParameterizedTest
  @ValueSource(ints = {BufferedImage.TYPE_3BYTE_BGR, BufferedImage.TYPE_4BYTE_ABGR, BufferedImage.TYPE_INT_RGB,
    BufferedImage.TYPE_INT_BGR, BufferedImage.TYPE_INT_ARGB, BufferedImage.TYPE_4BYTE_ABGR_PRE,
    BufferedImage.TYPE_INT_ARGB_PRE})
  void bufferedImages(int type) {
    Random random = new Random(type);
    BufferedImage whole = new BufferedImage(61, 47, type);
    byte[] rgb = new byte[50 * 40 * 3];
    for (int y = 0; y < 47; y++) {
      for (int x = 0; x < 61; x++) {
        int color = random.nextInt() | 0xff000000;
        whole.setRGB(x, y, color);
        if (x >= 7 && x < 57 && y >= 5 && y < 45) {
          int at = ((y - 5) * 50 + x - 7) * 3;
          rgb[at] = (byte) (color >> 16);
          rgb[at + 1] = (byte) (color >> 8);
          rgb[at + 2] = (byte) color;
        }
      }
    }
    ByteBuffer direct = ByteBuffer.allocateDirect(rgb.length + 5).position(5).put(rgb).position(5);
    Preprocessing recipe = Preprocessing.official(24);
    try (CpuBackend backend = new CpuBackend(2)) {
      float[] expected = PreprocessingGoldenTest.apply(backend, recipe, Image.rgb(ByteBuffer.wrap(rgb), 50, 40));
      assertThat(PreprocessingGoldenTest.apply(backend, recipe, Image.rgb(direct, 50, 40))).isEqualTo(expected);
      assertThat(PreprocessingGoldenTest.apply(backend, recipe, Image.of(whole.getSubimage(7, 5, 50, 40))))
          .isEqualTo(expected);
    }
  }

  @Test
  void steadyStateAllocatesNothing() {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    Preprocessing recipe = Preprocessing.official(32);
    try (CpuBackend backend = new CpuBackend(1);
        Preprocessor preprocessor = backend.preprocessor(recipe);
        Program program = PreprocessingGoldenTest.program(preprocessor, 2)) {
      Image[] images = {Image.of(new BufferedImage(64, 48, BufferedImage.TYPE_INT_RGB)),
        Image.rgb(ByteBuffer.allocateDirect(64 * 48 * 3), 64, 48),
        Image.of(new BufferedImage(64, 48, BufferedImage.TYPE_3BYTE_BGR))};
      long allocated = 0;
      for (int i = 0; i < 20_000; i++) {
        if (i == 10_000) {
          allocated = threads.getThreadAllocatedBytes(Thread.currentThread().getId());
        }
        program.put(i % 2, images[i % 3]);
      }
      allocated = threads.getThreadAllocatedBytes(Thread.currentThread().getId()) - allocated;
      assertThat(allocated).isLessThan(10_000);
    }
  }

  @Test
  void memoryIsGivenBack() {
    long before = CpuBackend.allocatedBytes();
    try (CpuBackend backend = new CpuBackend(2);
        Preprocessor preprocessor = backend.preprocessor(Preprocessing.official(32));
        Program program = PreprocessingGoldenTest.program(preprocessor, 1)) {
      for (int size = 1; size < 300; size += 13) {
        program.put(0, Image.of(new BufferedImage(size, 300 - size, BufferedImage.TYPE_3BYTE_BGR)));
      }
    }
    assertThat(CpuBackend.allocatedBytes()).isEqualTo(before);
  }

  @Test
  void misuse() {
    Preprocessing recipe = Preprocessing.official(32);
    Image image = Image.rgb(ByteBuffer.allocate(300), 10, 10);
    try (CpuBackend backend = new CpuBackend(1);
        Preprocessor larger = backend.preprocessor(Preprocessing.official(33))) {
      Preprocessor preprocessor = backend.preprocessor(recipe);
      Program program = PreprocessingGoldenTest.program(preprocessor, 2);
      for (int element : new int[] {-1, 2}) {
        assertThatThrownBy(() -> program.put(element, image)).isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("element " + element);
      }
      try (Program tooSmall = larger.compile(program.recording()); Program raw = backend.compile(program.recording())) {
        assertThatThrownBy(() -> tooSmall.put(0, image)).isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("3267 values").hasMessageContaining("[2, 32, 32, 3]");
        assertThatThrownBy(() -> raw.put(0, image)).isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("takes no images");
      }
      Image line = Image.rgb(ByteBuffer.allocate(3 * 2_000_000), 2_000_000, 1);
      assertThatThrownBy(() -> program.put(0, line)).isInstanceOf(ImageException.class)
          .hasMessageContaining("2000000 x 1");
      preprocessor.close();
      preprocessor.close();
      assertThatThrownBy(() -> program.put(0, image)).isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("preprocessor is closed");
      program.close();
      assertThatThrownBy(() -> program.put(0, image)).isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("program is closed");
    }
    assertThatThrownBy(() -> Image.rgb(ByteBuffer.allocate(299), 10, 10)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Image.rgb(ByteBuffer.allocate(300), 10, 10, 29))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Image.rgb(ByteBuffer.allocate(300), 0, 10)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> recipe.normalised(ZERO, ZERO)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Preprocessing.official(0)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void programsOfOnePreprocessorTakeImagesAtAnyElement() {
    Preprocessing recipe = Preprocessing.squash(5);
    byte[] samples = new byte[7 * 6 * 3];
    new Random(4).nextBytes(samples);
    Image image = Image.rgb(ByteBuffer.wrap(samples), 7, 6);
    try (CpuBackend backend = new CpuBackend(2)) {
      float[] expected = PreprocessingGoldenTest.apply(backend, recipe, image);
      for (Backend any : new Backend[] {backend, new ReferenceBackend()}) {
        try (Preprocessor preprocessor = any.preprocessor(recipe);
            Program three = PreprocessingGoldenTest.program(preprocessor, 3);
            Program four = PreprocessingGoldenTest.program(preprocessor, 4)) {
          for (Program program : new Program[] {three, four, three}) {
            for (int element = 0; element < 3; element++) {
              FloatBuffer input = program.input();
              input.put(0, new float[input.capacity()]);
              program.put(element, image);
              float[] all = new float[input.capacity()];
              input.get(0, all);
              float[] wanted = new float[input.capacity()];
              System.arraycopy(expected, 0, wanted, element * 75, 75);
              assertThat(all).isEqualTo(wanted);
            }
          }
        }
      }
    }
  }

  @Test
  void resizingThatWouldTakeGigabytesIsRefused() {
    Preprocessing recipe = new Preprocessing(new Resize.Squash(1, 1), Filter.BICUBIC, 4096, 4096, ZERO, ONE);
    Layout layout = recipe.layout(1 << 20, 2);
    assertThatThrownBy(() -> recipe.columns(1 << 20, layout)).isInstanceOf(ImageException.class)
        .hasMessageContaining("1048576");
  }
}
