package io.vertebra.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.FeatureMap;
import io.vertebra.Model;
import io.vertebra.Session;
import io.vertebra.image.Image;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What is promised of every model in every precision: an input's result is the same bit by bit, whatever the batch and
 * its place there, the number of threads, the session and what ran in it before.
 */
class DigitsDeterminismTest {
  private static final int IMAGES = 8;
  private static final Shape RAW = Shape.of(2, 3, 32, 32);

  private static final List<Precision> PRECISIONS = List.of(Precision.FP32, Precision.BF16, Precision.INT8);

  static Stream<Arguments> models() {
    return Digits.names().stream().flatMap(name -> PRECISIONS.stream().map(precision -> Arguments.of(name, precision)));
  }

  private static Model model(String name, Precision precision, int threads) {
    return Digits.named(name).precision(precision).threads(threads).build();
  }

  private static List<Image> images() {
    return Digits.sampleNames().stream().limit(IMAGES).map(Digits::sample).toList();
  }

  @ParameterizedTest
  @MethodSource("models")
  void anImageHasOneEmbedding(String name, Precision precision) throws InterruptedException, ExecutionException {
    List<Image> images = images();
    List<float[]> expected = new ArrayList<>();
    try (Model one = model(name, precision, 1)) {
      for (Image image : images) {
        try (Session fresh = one.newSession()) {
          expected.add(fresh.embed(image));
        }
      }
    }
    for (int threads : new int[] {1, 2, 5}) {
      try (Model model = model(name, precision, threads)) {
        checkTogether(model, images, expected);
      }
    }
  }

  /** Two sessions at a time, each with batches of several sizes. */
  private static void checkTogether(Model model, List<Image> images, List<float[]> expected)
      throws InterruptedException, ExecutionException {
    ExecutorService pool = Executors.newFixedThreadPool(2);
    try {
      List<Future<?>> running = new ArrayList<>();
      for (int caller = 0; caller < 2; caller++) {
        running.add(pool.submit(() -> checkBatches(model, images, expected)));
      }
      for (Future<?> each : running) {
        each.get();
      }
    } finally {
      pool.shutdown();
    }
  }

  private static void checkBatches(Model model, List<Image> images, List<float[]> expected) {
    try (Session session = model.newSession()) {
      for (int batch : new int[] {IMAGES, 1, 3, 5}) {
        int first = (IMAGES - batch) / 2;
        float[] all = session.embedAll(images.subList(first, first + batch));
        int width = model.embeddingWidth();
        for (int i = 0; i < batch; i++) {
          assertThat(Arrays.copyOfRange(all, i * width, (i + 1) * width))
              .as("%s, image %d of %d", model.describe(), i, batch).isEqualTo(expected.get(first + i));
        }
      }
    }
  }

  /** Not a number is contagious: where anything of an earlier run is read, it would be the result. */
  @ParameterizedTest
  @MethodSource("models")
  void nothingIsLeftOfEarlierRuns(String name, Precision precision) {
    Random random = new Random(3);
    float[] input = new float[(int) RAW.elements()];
    for (int i = 0; i < input.length; i++) {
      input[i] = random.nextFloat();
    }
    try (Model model = model(name, precision, 2)) {
      float[] logits;
      float[] maps;
      try (Session fresh = model.newSession()) {
        logits = logits(fresh, input);
        maps = maps(fresh, input);
      }
      assertThat(maps).doesNotContain(Float.NaN);
      try (Session session = model.newSession()) {
        for (float poison : new float[] {Float.NaN, Float.POSITIVE_INFINITY, 1e30f}) {
          float[] poisoned = new float[input.length];
          Arrays.fill(poisoned, poison);
          logits(session, poisoned);
          maps(session, poisoned);
          assertThat(logits(session, input)).as("logits after %s", poison).isEqualTo(logits);
          assertThat(maps(session, input)).as("maps after %s", poison).isEqualTo(maps);
        }
      }
    }
  }

  private static float[] logits(Session session, float[] input) {
    return session.run(input, RAW, Set.of("logits")).get("logits");
  }

  private static float[] maps(Session session, float[] input) {
    List<FeatureMap> maps = session.features(input, RAW);
    float[] all = new float[maps.stream().mapToInt(map -> map.values().length).sum()];
    int next = 0;
    for (FeatureMap map : maps) {
      System.arraycopy(map.values(), 0, all, next, map.values().length);
      next += map.values().length;
    }
    return all;
  }
}
