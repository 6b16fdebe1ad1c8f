package io.vertebra.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.backend.Preprocessor;
import io.vertebra.backend.Program;
import io.vertebra.cuda.runtime.EmulatedRuntime;
import io.vertebra.image.Filter;
import io.vertebra.image.Image;
import io.vertebra.image.Preprocessing;
import io.vertebra.image.Resize;
import io.vertebra.program.Recording;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Affine;
import io.vertebra.reference.ReferencePreprocessor;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.VertebraException;
import java.awt.image.BufferedImage;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.Random;
import java.util.Set;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

/** Preprocessing on the emulated device is that of the reference, bit for bit. */
class CudaPreprocessorTest {
  private final EmulatedRuntime runtime = new EmulatedRuntime();

  /** A program whose output is its input. */
  private static Program echo(Preprocessor preprocessor, int batch) {
    Shape input = Shape.of(batch, preprocessor.recipe().height(), preprocessor.recipe().width(), 3);
    return preprocessor.compile(Recording.of(input, Set.of("x"),
        r -> r.output("x", r.record("x", new Affine(null, null, null, Activation.IDENTITY), r.input()))));
  }

  private static Image image(int width, int height, boolean direct) {
    byte[] samples = new byte[3 * width * height];
    new Random(width).nextBytes(samples);
    return Image.rgb(direct ? ByteBuffer.allocateDirect(samples.length).put(0, samples) : ByteBuffer.wrap(samples),
        width, height);
  }

  /** One whose pixels are ints, a part of a larger one. */
  private static Image part(int width, int height) {
    BufferedImage whole = new BufferedImage(width + 9, height + 4, BufferedImage.TYPE_INT_RGB);
    Random random = new Random(height);
    for (int i = 0; i < (width + 9) * (height + 4); i++) {
      whole.setRGB(i % (width + 9), i / (width + 9), random.nextInt());
    }
    return Image.of(whole.getSubimage(5, 3, width, height));
  }

  private static float[] expected(Preprocessing recipe, Image image) {
    return new ReferencePreprocessor(recipe).apply(image);
  }

  @Test
  void everySizeAndLayoutOfPixels() {
    Preprocessing padded = new Preprocessing(new Resize.Squash(20, 11), Filter.BICUBIC, 16, 18,
        Preprocessing.IMAGENET_MEAN, Preprocessing.IMAGENET_STD);
    for (Preprocessing recipe : new Preprocessing[] {Preprocessing.official(24), Preprocessing.squash(17), padded}) {
      try (CudaBackend backend = new CudaBackend(runtime, Precision.FP32);
          Preprocessor preprocessor = backend.preprocessor(recipe);
          Program program = echo(preprocessor, 1)) {
        for (Image image : new Image[] {image(61, 47, true), image(61, 47, false), part(61, 47), image(9, 31, true),
          part(200, 90)}) {
          program.put(0, image);
          program.run();
          assertThat(program.read("x")).isEqualTo(expected(recipe, image));
        }
      }
    }
  }

  @Test
  void elementsOfABatchFromHostAndDevice() {
    Preprocessing recipe = Preprocessing.official(20);
    Image first = image(40, 30, true);
    Image second = image(33, 50, true);
    int size = recipe.elements();
    try (CudaBackend backend = new CudaBackend(runtime, Precision.FP16);
        Preprocessor preprocessor = backend.preprocessor(recipe);
        Program program = echo(preprocessor, 3)) {
      FloatBuffer input = program.input();
      input.put(0, new float[3 * size]);
      program.put(2, first);
      program.put(0, second);
      input.put(size, expected(recipe, second));
      program.run();
      float[] output = program.read("x");
      for (int i = 0; i < size; i++) {
        assertThat(output[i]).isEqualTo(output[size + i]);
        assertThat(output[i]).isCloseTo(expected(recipe, second)[i], within(1e-3f));
        assertThat(output[2 * size + i]).isCloseTo(expected(recipe, first)[i], within(1e-3f));
      }
      program.run();
      assertThat(program.read("x")[0]).as("what was on the device served one run").isZero();
      program.put(0, second);
      assertThat(program.input().get(0)).isZero();
      program.run();
      assertThat(program.read("x")[0]).as("raw input replaces images that never ran").isZero();
    }
  }

  @Test
  void anImageThatFindsNoMemoryLeavesTheNextUnharmed() {
    Preprocessing recipe = Preprocessing.official(20);
    Image small = image(40, 30, true);
    Image large = image(300, 400, true);
    long total = runtime.memoryTotal();
    try (CudaBackend backend = new CudaBackend(runtime, Precision.FP32);
        Preprocessor preprocessor = backend.preprocessor(recipe);
        Program program = echo(preprocessor, 1)) {
      program.put(0, small);
      program.run();
      long used = runtime.memoryUsed();
      for (long free : new long[] {0, 1 << 14, 1 << 17, 1 << 18}) {
        runtime.setMemoryTotal(used + free);
        assertThatThrownBy(() -> program.put(0, large)).isInstanceOf(VertebraException.class)
            .hasMessageContaining("memory");
        runtime.setMemoryTotal(total);
        for (Image image : new Image[] {small, part(40, 30)}) {
          program.put(0, image);
          program.run();
          assertThat(program.read("x")).isEqualTo(expected(recipe, image));
        }
      }
      program.put(0, large);
      program.run();
      assertThat(program.read("x")).isEqualTo(expected(recipe, large));
    } finally {
      runtime.setMemoryTotal(total);
    }
  }

  private static Offset<Float> within(float value) {
    return Offset.offset(value);
  }

  @Test
  void whatDoesNotFitIsRefusedAndNothingStaysBehind() {
    long used = runtime.memoryUsed();
    Preprocessing recipe = Preprocessing.official(20);
    Image image = image(40, 30, true);
    try (CudaBackend backend = new CudaBackend(runtime, Precision.FP32);
        Preprocessor larger = backend.preprocessor(Preprocessing.official(32))) {
      Preprocessor preprocessor = backend.preprocessor(recipe);
      try (Program program = echo(preprocessor, 1);
          Program raw = backend.compile(program.recording());
          Program other = larger.compile(program.recording())) {
        program.put(0, image);
        assertThatIllegalArgumentException().isThrownBy(() -> raw.put(0, image)).withMessageContaining("no images");
        assertThatIllegalArgumentException().isThrownBy(() -> program.put(1, image)).withMessageContaining("element 1");
        assertThatIllegalArgumentException().isThrownBy(() -> other.put(0, image)).withMessageContaining("3072");
        preprocessor.close();
        preprocessor.close();
        assertThatIllegalStateException().isThrownBy(() -> program.put(0, image)).withMessageContaining("closed");
      }
    }
    assertThat(runtime.memoryUsed()).isEqualTo(used);
  }
}
