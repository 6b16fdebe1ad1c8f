package io.vertebra;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.sun.management.ThreadMXBean;
import io.vertebra.backbone.Architecture;
import io.vertebra.backbone.Backbone;
import io.vertebra.backbone.hornet.HorNetConfig;
import io.vertebra.backbone.swin.SwinConfig;
import io.vertebra.cpu.CpuBackend;
import io.vertebra.image.Image;
import io.vertebra.program.Observer;
import io.vertebra.program.Recording;
import io.vertebra.program.op.Call;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.FormulaWeights;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SessionTest {
  private static final Shape RAW = Shape.of(1, 3, 32, 32);
  private static final float[] INPUT = FormulaWeights.input("session", RAW);
  private final Image image = TinyModels.image(0);

  @Test
  void aSteadyRunAllocatesNothingButItsResultAndNoNativeMemory() throws IOException {
    try (Model model = TinyModels.swin().threads(2).build(); Session session = model.newSession()) {
      for (int i = 0; i < 20_000; i++) {
        session.embed(image);
      }
      ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
      long native0 = CpuBackend.allocatedBytes();
      long resident = residentBytes();
      int runs = 10_000;
      long before = threads.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < runs; i++) {
        session.embed(image);
      }
      double perRun = (threads.getCurrentThreadAllocatedBytes() - before) / (double) runs;
      int result = 16 + model.embeddingWidth() * Float.BYTES;
      assertThat(perRun).isEqualTo(result, within(2.0));
      assertThat(CpuBackend.allocatedBytes()).isEqualTo(native0);
      assertThat(residentBytes() - resident).as("growth over 10,000 runs").isLessThan(64L << 20);
    }
  }

  private static long residentBytes() throws IOException {
    return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]) * 4096;
  }

  @Test
  void aLargeBatchRunsInPiecesWithTheSameResults() {
    Shape batch = Shape.of(6, 3, 224, 224);
    float[] input = FormulaWeights.input("pieces", batch);
    int values = input.length / 6;
    try (Model model = Model.builder("swin_tiny_patch4_window7_224").weights(new FormulaWeights()).threads(2).build();
        Session session = model.newSession()) {
      assertThat(model.backend().piece(6,
          images -> Recording.of(Shape.of(images, 224, 224, 3), Set.of("pooled"), model.backbone()::forward)))
          .isGreaterThan(1).isLessThan(5);
      assertThat(pooled(session, Arrays.copyOf(input, 5 * values), 5)).as("pieces and a rest")
          .isEqualTo(oneByOne(session, input, 5));
      assertThat(pooled(session, input, 6)).isEqualTo(oneByOne(session, input, 6));
      List<FeatureMap> maps = session.features(input, batch);
      assertThat(maps).extracting(FeatureMap::batch).containsOnly(6);
      List<FeatureMap> lastOnly
          = session.features(Arrays.copyOfRange(input, 5 * values, 6 * values), Shape.of(1, 3, 224, 224));
      for (int i = 0; i < maps.size(); i++) {
        float[] all = maps.get(i).values();
        assertThat(Arrays.copyOfRange(all, all.length / 6 * 5, all.length)).isEqualTo(lastOnly.get(i).values());
      }
    }
  }

  private static float[] pooled(Session session, float[] input, int images) {
    return session.run(input, Shape.of(images, 3, 224, 224), Set.of(Backbone.POOLED)).get(Backbone.POOLED);
  }

  private static float[] oneByOne(Session session, float[] input, int images) {
    int values = 3 * 224 * 224;
    float[] all = new float[768 * images];
    for (int i = 0; i < images; i++) {
      System.arraycopy(pooled(session, Arrays.copyOfRange(input, i * values, (i + 1) * values), 1), 0, all, 768 * i,
          768);
    }
    return all;
  }

  @Test
  void closingFreesEverything() {
    long before = CpuBackend.allocatedBytes();
    for (int i = 0; i < 20; i++) {
      Model model = TinyModels.swin().threads(2).build();
      Session left = model.newSession();
      left.embed(image);
      model.newSession().classifyAll(List.of(image, image, image), 2);
      model.close();
      model.close();
      left.close();
    }
    assertThat(CpuBackend.allocatedBytes()).isEqualTo(before);
  }

  @Test
  void closedSessionsAndModelsSayThatTheyAre() {
    Model model = TinyModels.swin().build();
    Session session = model.newSession();
    session.close();
    session.close();
    assertThatThrownBy(() -> session.embed(image)).isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
    Session orphan = model.newSession();
    model.close();
    assertThatThrownBy(() -> orphan.embed(image)).isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
    assertThatThrownBy(model::newSession).isInstanceOf(IllegalStateException.class).hasMessageContaining("closed");
  }

  @Test
  void plainRunsAreTimed() {
    try (Model model = TinyModels.swin().build(); Session session = model.newSession()) {
      assertThat(session.time(INPUT, RAW, 3)).hasSize(3).doesNotContain(0);
      assertThatThrownBy(() -> session.time(new float[1], RAW, 1)).isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void aSecondThreadInOneSessionIsRefusedAndCloseWaits() throws InterruptedException {
    try (Model model = TinyModels.swin().build()) {
      Session session = model.newSession();
      BusySession busy = new BusySession(session, INPUT, RAW);
      assertThatThrownBy(() -> session.embed(image)).isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("another thread");
      Thread closer = new Thread(session::close);
      closer.start();
      closer.join(100);
      assertThat(closer.isAlive()).isTrue();
      busy.leave();
      closer.join();
      assertThatThrownBy(() -> session.embed(image)).hasMessageContaining("closed");
    }
  }

  @Test
  void sessionsOfOneModelRunAtTheSameTimeWithTheSameResults() throws InterruptedException {
    try (Model model = TinyModels.swin().threads(2).build()) {
      float[] expected;
      try (Session session = model.newSession()) {
        expected = session.embed(image);
      }
      AtomicReference<Throwable> failure = new AtomicReference<>();
      Thread[] threads = new Thread[4];
      for (int t = 0; t < threads.length; t++) {
        threads[t] = new Thread(() -> {
          try (Session session = model.newSession()) {
            for (int i = 0; i < 500; i++) {
              assertThat(session.embed(image)).isEqualTo(expected);
            }
          } catch (Throwable e) {
            failure.set(e);
          }
        });
        threads[t].start();
      }
      for (Thread thread : threads) {
        thread.join();
      }
      assertThat(failure.get()).isNull();
    }
  }

  @Test
  void batchesGiveWhatSingleImagesGive() {
    try (Model model = TinyModels.swin().build(); Session session = model.newSession()) {
      List<Image> images = IntStream.range(0, 7).mapToObj(TinyModels::image).toList();
      float[] batch = session.embedAll(images);
      int width = model.embeddingWidth();
      for (int i = 0; i < images.size(); i++) {
        float[] single = session.embed(images.get(i));
        for (int c = 0; c < width; c++) {
          assertThat(batch[i * width + c]).isEqualTo(single[c], within(1e-4f));
        }
      }
      assertThat(session.classifyAll(images, 3)).hasSize(7).allSatisfy(top -> {
        assertThat(top).hasSize(3);
        assertThat(top.get(0).probability()).isGreaterThanOrEqualTo(top.get(1).probability()).isBetween(0.1f, 1.0001f);
      });
      assertThatThrownBy(() -> session.embedAll(List.of())).isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void featureMapsHaveTheStridesOfTheStages() {
    try (Model model = TinyModels.swin().build(); Session session = model.newSession()) {
      List<FeatureMap> maps
          = session.features(FormulaWeights.input("x", Shape.of(2, 3, 50, 41)), Shape.of(2, 3, 50, 41));
      assertThat(maps).extracting(FeatureMap::stride).containsExactly(4, 8, 16);
      assertThat(maps).extracting(FeatureMap::height).containsExactly(13, 7, 4);
      assertThat(maps).extracting(FeatureMap::width).containsExactly(11, 6, 3);
      FeatureMap map = maps.get(1);
      assertThat(map.channelsFirst()[(64 + 5) * 42 + 9]).isEqualTo(map.values()[(42 + 9) * 64 + 5]);
      assertThat(session.features(List.of(image))).extracting(FeatureMap::height).containsExactly(8, 4, 2);
    }
  }

  @Test
  void inputsOfWrongShapesAreRefusedByName() {
    try (Model model = TinyModels.swin().build(); Session session = model.newSession()) {
      Set<String> logits = Set.of(Backbone.LOGITS);
      assertThat(session.run(INPUT, RAW, logits).get(Backbone.LOGITS)).hasSize(10);
      assertThatThrownBy(() -> session.run(new float[5], RAW, logits)).isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("[batch, 3");
      assertThatThrownBy(() -> session.run(INPUT, Shape.of(3, 1, 32, 32), logits))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> session.run(INPUT, RAW, Set.of("nonsense"))).isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("nonsense");
      Shape odd = Shape.of(1, 3, 36, 32);
      assertThatThrownBy(() -> session.run(FormulaWeights.input("x", odd), odd, logits))
          .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("9x8").hasMessageContaining("dense");
      assertThatCode(() -> session.features(FormulaWeights.input("x", odd), odd)).doesNotThrowAnyException();
    }
  }

  @Test
  void otherResolutionsResizeTheBiasTables() {
    SwinConfig timm = ((SwinConfig) Families.named("swin_tiny_patch4_window7_224").architecture())
        .withBehaviour(SwinConfig.Behaviour.TIMM);
    try (Model model = Model.builder().architecture(timm).weights(new FormulaWeights()).build();
        Session session = model.newSession()) {
      for (int[] size : new int[][] {{32, 32}, {64, 96}, {100, 252}, {288, 224}}) {
        Shape shape = Shape.of(1, 3, size[0], size[1]);
        float[] pooled
            = session.run(FormulaWeights.input("x", shape), shape, Set.of(Backbone.POOLED)).get(Backbone.POOLED);
        assertThat(pooled).hasSize(768).doesNotContain(Float.NaN);
      }
    }
  }

  /** Of every size there are filters and bias tables of its own. */
  @Test
  void everChangingSizesTakeBoundedMemory() throws InterruptedException {
    SwinConfig timm
        = SwinConfig.of(Map.of("embed_dim", 8, "depths", List.of(1, 2), "num_heads", List.of(1, 2), "window_size", 32),
            SwinConfig.Behaviour.TIMM);
    Map<String, Object> filter = Map.of("order", 2, "filter", "gf", "h", 4, "w", 3);
    HorNetConfig hornet = HorNetConfig
        .of(Map.of("base_dim", 8, "depths", List.of(2, 2), "num_classes", 5, "gnconv", List.of(filter, filter)), false);
    for (Architecture architecture : List.of(timm, hornet)) {
      try (Model model = Model.builder().architecture(architecture).weights(new FormulaWeights()).threads(2).build();
          Session session = model.newSession()) {
        float[] first = pooled(session, 64);
        for (int side = 68; side < 228; side += 4) {
          assertThat(pooled(session, side)).doesNotContain(Float.NaN);
        }
        float[] again = pooled(session, 64);
        assertThat(again).isEqualTo(first);
        for (int side = 224; side > 208; side -= 4) {
          pooled(session, side);
        }
        long few = settled();
        for (int round = 0; round < 2; round++) {
          for (int side = 68; side < 228; side += 4) {
            pooled(session, side);
          }
        }
        for (int side = 224; side > 208; side -= 4) {
          pooled(session, side);
        }
        assertThat(settled()).as(architecture.family()).isLessThanOrEqualTo(few);
      }
    }
  }

  private static float[] pooled(Session session, int side) {
    Shape shape = Shape.of(1, 3, side, side);
    return session.run(FormulaWeights.input("x", shape), shape, Set.of(Backbone.POOLED)).get(Backbone.POOLED);
  }

  /** Native memory held once the collector has freed what it can. */
  private static long settled() throws InterruptedException {
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 5; i++) {
      System.gc();
      Thread.sleep(50);
      least = Math.min(least, CpuBackend.allocatedBytes());
    }
    return least;
  }

  @Test
  void anObserverCannotCloseWhatItWatches() {
    long before = CpuBackend.allocatedBytes();
    Model model = TinyModels.swin().threads(2).build();
    Session session = model.newSession();
    for (Runnable close : new Runnable[] {session::close, model::close}) {
      assertThatThrownBy(() -> session.observe(INPUT, RAW, new Observer() {
        @Override
        public void before(int index, Call call) {
          close.run();
        }

        @Override
        public void after(int index, Call call) {
          // Nothing to see.
        }
      })).isInstanceOf(IllegalStateException.class).hasMessageContaining("observer");
    }
    model.close();
    assertThat(CpuBackend.allocatedBytes()).isEqualTo(before);
  }

  @Test
  void batchesTooLargeForABufferAreRefusedWhereTheyRunWhole() {
    try (Model model = TinyModels.swin().device(Device.REFERENCE).build(); Session session = model.newSession()) {
      assertThatThrownBy(() -> session.embedAll(Collections.nCopies(1_000_000, image)))
          .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("smaller batch");
    }
    assertThatThrownBy(() -> new FeatureMap("out0", 4, 1, 2, 2, 5, new float[3]))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
