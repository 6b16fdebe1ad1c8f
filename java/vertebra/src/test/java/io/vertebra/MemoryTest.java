package io.vertebra;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.vertebra.cpu.CpuBackend;
import io.vertebra.image.Preprocessing;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.FormulaWeights;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.ParameterSource;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What models and sessions take is known beforehand, and bounded where the caller or the file's size bounds it. */
class MemoryTest {
  private static final Shape SMALL = Shape.of(1, 3, 32, 32);

  /** Formula weights with a checkpoint's metadata. */
  private static ParameterSource stating(Map<String, String> metadata) {
    ParameterSource formula = new FormulaWeights();
    return new ParameterSource() {
      @Override
      public String describe() {
        return "stated";
      }

      @Override
      public Parameter find(String name, Shape expected) {
        return formula.find(name, expected);
      }

      @Override
      public Map<String, String> metadata() {
        return metadata;
      }
    };
  }

  /** Other tests' weights may be garbage that is still to be freed. */
  private static long settled() throws InterruptedException {
    long held = -1;
    for (int same = 0; same < 3; Thread.sleep(50)) {
      System.gc();
      same = CpuBackend.allocatedBytes() == held ? same + 1 : 0;
      held = CpuBackend.allocatedBytes();
    }
    return held;
  }

  /** Waits until weights for a size that nobody runs any more are freed. */
  private static void await(long held) throws InterruptedException {
    for (int tries = 0; CpuBackend.allocatedBytes() != held && tries < 200; tries++) {
      System.gc();
      Thread.sleep(50);
    }
    assertThat(CpuBackend.allocatedBytes()).isEqualTo(held);
  }

  private static void check(Model.Builder builder, int... batches) throws InterruptedException {
    long none = settled();
    try (Model model = builder.threads(2).build()) {
      long weights = settled();
      assertThat(model.weightBytes()).isCloseTo(weights - none, within(1L << 12));
      int side = model.preprocessing().height();
      for (int batch : batches) {
        Shape shape = Shape.of(batch, 3, side, side);
        long expected = model.sessionBytes(shape);
        await(weights);
        try (Session session = model.newSession()) {
          session.run(new float[(int) shape.elements()], shape, Set.of("probabilities"));
          // A session has a few KB for the pixels' values, whatever it runs.
          assertThat((double) CpuBackend.allocatedBytes() - weights).as("%s of %s", model.describe(), shape)
              .isCloseTo(expected + 3500, Percentage.withPercentage(1));
        }
        await(weights);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(value = Precision.class, names = {"FP32", "BF16", "INT8"})
  void isKnownBeforehand(Precision precision) throws InterruptedException {
    check(TinyModels.swin().precision(precision), 1, 5);
    check(TinyModels.hornet().precision(precision), 1, 3);
  }

  @ParameterizedTest
  @EnumSource(value = Precision.class, names = {"FP32", "INT8"})
  void isKnownBeforehandOfALargeModel(Precision precision) throws InterruptedException {
    check(Model.builder("swin_tiny_patch4_window7_224").weights(new FormulaWeights()).precision(precision), 1, 3);
  }

  @Test
  void whatTakesMoreThanTheLimitIsRefusedByNameAndWhatFitsRuns() {
    try (Model model = TinyModels.swin().threads(1).build()) {
      long one = model.sessionBytes(SMALL);
      long four = model.sessionBytes(Shape.of(4, 3, 32, 32));
      assertThat(four).isGreaterThan(one);
      try (Session session = model.newSession(four - 1)) {
        float[] expected = session.embed(TinyModels.image(1));
        long held = CpuBackend.allocatedBytes();
        assertThatThrownBy(
            () -> session.run(new float[4 * 3 * 32 * 32], Shape.of(4, 3, 32, 32), Set.of("probabilities")))
            .isInstanceOf(MemoryLimitException.class).hasMessageContaining("tiny-swin")
            .hasMessageContaining("[4, 32, 32, 3]").hasMessageContaining("" + four)
            .hasMessageContaining("" + (four - 1)).hasMessageContaining("memoryLimit");
        assertThat(CpuBackend.allocatedBytes()).isEqualTo(held);
        assertThat(session.embed(TinyModels.image(1))).isEqualTo(expected);
      }
    }
  }

  @Test
  void earlierProgramsMakeRoom() {
    try (Model model = TinyModels.swin().threads(1).memoryLimit(1 << 30).build()) {
      long two = model.sessionBytes(Shape.of(2, 3, 32, 32));
      try (Session session = model.newSession(two + two / 4)) {
        session.run(new float[2 * 3 * 32 * 32], Shape.of(2, 3, 32, 32), Set.of("logits"));
        long held = CpuBackend.allocatedBytes();
        session.run(new float[3 * 32 * 32], SMALL, Set.of("logits"));
        assertThat(CpuBackend.allocatedBytes()).as("one in place of the other").isLessThan(held);
      }
      for (long none : new long[] {0, -1, Long.MIN_VALUE}) {
        assertThatThrownBy(() -> model.newSession(none)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> TinyModels.swin().memoryLimit(none)).isInstanceOf(IllegalArgumentException.class);
      }
    }
  }

  /** A file of a few KB must not ask for gigabytes: whether its pixels are too many, or what becomes of them. */
  @Test
  void aFileIsHeldToItsWeights() {
    long start = System.nanoTime();
    for (String size : List.of("8192", "1408")) {
      ParameterSource source = stating(Map.of("input_size", size));
      assertThatThrownBy(() -> {
        try (Model model = TinyModels.swin().weights(source).build(); Session session = model.newSession()) {
          session.embed(TinyModels.image(1));
        }
      }).isInstanceOf(MemoryLimitException.class).hasMessageContaining("tiny-swin").hasMessageContaining(size)
          .hasMessageContaining("preprocessing");
    }
    assertThat(System.nanoTime() - start).isLessThan(5_000_000_000L);
    Preprocessing own = Preprocessing.squash(1024);
    try (Model model = TinyModels.swin().weights(stating(Map.of("input_size", "8192"))).preprocessing(own).build()) {
      assertThat(model.preprocessing()).isEqualTo(own);
    }
  }
}
