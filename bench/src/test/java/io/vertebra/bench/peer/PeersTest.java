package io.vertebra.bench.peer;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.Families;
import io.vertebra.backbone.Backbone;
import io.vertebra.golden.GoldenFile;
import io.vertebra.tensor.Compare;
import io.vertebra.tensor.Precision;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Exported models, run by the peers, give the published implementation's logits. */
class PeersTest {
  private static final Path GOLDEN = Path.of("../java/vertebra-golden/src/test/resources/golden");
  private static final int THREADS = 2;

  @TempDir
  private Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"swin_mini_basic", "swin_mini_fourstage", "swin_mini_nonsquare", "swin_mini_oddwindow",
    "swin_mini_options", "swin_mini_timm_nonsquare", "swin_mini_timm_pad", "swin_mini_timm_windows",
    "swin_mini_timm_dynamic", "coatnet_mini_rw_dw", "coatnet_mini_bn", "coatnet_mini_1x1", "coatnet_mini_next",
    "coatnet_mini_pools", "coatnet_mini_oddsize", "uniformer_mini_image", "uniformer_mini_plus", "uniformer_mini_tl",
    "uniformer_mini_options", "hornet_mini_7x7", "hornet_mini_gf", "hornet_mini_gf_nonsquare", "hornet_mini_orders",
    "conformer_p16", "conformer_p32", "conformer_autopad", "conformer_med_nobias"})
  void miniModels(String name) throws IOException {
    check("mini/" + name, 1e-5);
  }

  @ParameterizedTest
  @ValueSource(strings = {"swin_tiny_patch4_window7_224", "coatnet_0_rw_224"})
  void fullModels(String name) throws IOException {
    check("full/" + name, 1e-4);
  }

  private void check(String name, double tolerance) throws IOException {
    GoldenFile golden = GoldenFile.open(GOLDEN.resolve(name + ".safetensors"));
    double[] expected = golden.expected(Backbone.LOGITS);
    Workload workload
        = new Workload(golden::load, golden.weights(), golden.input(0), golden.inputShapes().get(0), Precision.FP32);
    for (Library library : Library.values()) {
      library.write(workload, library.file(folder));
      try (Engine engine = library.open(workload, library.file(folder), THREADS)) {
        engine.run();
        float[] logits = engine.run();
        double[] actual = IntStream.range(0, logits.length).mapToDouble(i -> logits[i]).toArray();
        assertThat(Compare.relativeError(actual, expected)).as(engine.name()).isLessThan(tolerance);
      }
    }
  }

  @Test
  void enginesAgreeOnABatch() throws IOException {
    try (Comparison comparison = new Comparison(Families.named("hornet_tiny_gf"), 2, THREADS, Precision.FP32)) {
      assertThat(comparison.agree()).containsOnlyKeys("onnxruntime", "libtorch")
          .allSatisfy((engine, error) -> assertThat(error).isLessThan(1e-4));
    }
  }

  @Test
  void peakMemoryHoldsAtLeastTheWeights() throws IOException {
    String variant = "coatnet_pico_rw_224";
    Path file = Library.VERTEBRA.file(folder);
    Library.VERTEBRA.write(Workload.of(Families.named(variant), 1, Precision.FP32), file);
    assertThat(PeakMemory.measure(Library.VERTEBRA, file, variant, 1, THREADS, Precision.FP32))
        .isBetween(Files.size(file), 10 * Files.size(file));
  }
}
