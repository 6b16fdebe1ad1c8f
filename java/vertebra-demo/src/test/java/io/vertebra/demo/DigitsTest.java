package io.vertebra.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.Device;
import io.vertebra.IsaTest;
import io.vertebra.Model;
import io.vertebra.Session;
import io.vertebra.image.Image;
import io.vertebra.tensor.Compare;
import io.vertebra.tensor.Precision;
import io.vertebra.weights.Safetensors;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Real trained weights: every held-out image gets the prediction the published implementation gives it. */
class DigitsTest {
  private static final int IMAGES = 1500;
  private static final int SIDE = 28;
  private static final int BATCH = 25;

  /** A model, its file of logits and how many images it gets right. */
  private record Demo(String family, Supplier<Model.Builder> builder, int right) {
    @Override
    public String toString() {
      return family;
    }
  }

  static List<Demo> demos() {
    return List.of(new Demo("swin", Digits::swin, 1473), new Demo("coatnet", Digits::coatnet, 1476),
        new Demo("uniformer", Digits::uniformer, 1480), new Demo("hornet", Digits::hornet, 1477),
        new Demo("conformer", Digits::conformer, 1482));
  }

  @IsaTest(kernels = "f32")
  @ParameterizedTest
  @MethodSource("demos")
  void allTestImagesGetTheRecordedLogits(Demo demo) throws IOException {
    check(demo, Precision.FP32, 1e-4, 0);
  }

  @IsaTest(kernels = "bf16")
  @ParameterizedTest
  @MethodSource("demos")
  void allTestImagesGetTheRecordedPredictionsInBf16(Demo demo) throws IOException {
    check(demo, Precision.BF16, 2e-2, 0);
  }

  @IsaTest(kernels = "int8")
  @ParameterizedTest
  @MethodSource("demos")
  void allTestImagesButOneGetTheRecordedPredictionsInInt8(Demo demo) throws IOException {
    check(demo, Precision.INT8, 1e-2, 1);
  }

  /** @param others images that may get another prediction */
  private static void check(Demo demo, Precision precision, double tolerance, int others) throws IOException {
    byte[] pixels = new byte[IMAGES * SIDE * SIDE];
    resource("/digits/test.safetensors").find("images", null).data().get(pixels);
    long[] labels = resource("/digits/test.safetensors").find("labels", null).toLongs();
    double[] expected = resource("/digits/" + demo.family + ".logits.safetensors").find("logits", null).toDoubles();
    double[] actual = new double[expected.length];
    try (Model model = demo.builder.get().threads(2).precision(precision).build();
        Session session = model.newSession()) {
      for (int first = 0; first < IMAGES; first += BATCH) {
        List<Image> batch = new ArrayList<>();
        for (int i = first; i < first + BATCH; i++) {
          batch.add(grey(pixels, i * SIDE * SIDE));
        }
        float[] logits = session.logitsAll(batch);
        for (int i = 0; i < logits.length; i++) {
          actual[first * 10 + i] = logits[i];
        }
      }
    }
    assertThat(Compare.relativeError(actual, expected)).isLessThan(tolerance);
    assertThat(IntStream.range(0, IMAGES).filter(i -> best(actual, i) != best(expected, i)).count())
        .isLessThanOrEqualTo(others);
    int right = (int) IntStream.range(0, IMAGES).filter(i -> best(actual, i) == labels[i]).count();
    assertThat(right).isBetween(demo.right - others, demo.right + others);
  }

  @Test
  void samplesAreClassifiedAlikeByCpuAndReference() {
    try (Model cpu = Digits.swin().build();
        Session session = cpu.newSession();
        Model reference = Digits.swin().device(Device.REFERENCE).build();
        Session oracle = reference.newSession()) {
      assertThat(Digits.sampleNames()).hasSize(50);
      int right = 0;
      for (String name : Digits.sampleNames()) {
        String label = session.classify(Digits.sample(name), 1).get(0).label();
        assertThat(label).isEqualTo(oracle.classify(Digits.sample(name), 1).get(0).label());
        right += name.endsWith("_" + label + ".png") ? 1 : 0;
      }
      assertThat(right).isGreaterThanOrEqualTo(48);
    }
  }

  private static Image grey(byte[] pixels, int from) {
    ByteBuffer rgb = ByteBuffer.allocateDirect(3 * SIDE * SIDE);
    IntStream.range(0, 3 * SIDE * SIDE).forEach(i -> rgb.put(i, pixels[from + i / 3]));
    return Image.rgb(rgb, SIDE, SIDE);
  }

  private static int best(double[] logits, int image) {
    return IntStream.range(0, 10).reduce((a, b) -> logits[image * 10 + b] > logits[image * 10 + a] ? b : a).getAsInt();
  }

  private static Safetensors resource(String name) throws IOException {
    try (InputStream in = DigitsTest.class.getResourceAsStream(name)) {
      return Safetensors.of(name, ByteBuffer.wrap(in.readAllBytes()));
    }
  }
}
