package io.vertebra.bench.peer;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.backbone.Families;
import io.vertebra.backbone.swin.SwinConfig;
import io.vertebra.backbone.swin.SwinConfig.Behaviour;
import io.vertebra.golden.Compare;
import io.vertebra.program.Shape;
import io.vertebra.weights.FormulaWeights;
import io.vertebra.weights.Json;
import io.vertebra.weights.Safetensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Exported models, run by the peers, give the published implementation's logits. */
class PeersTest {
  private static final Path GOLDEN = Path.of("../java/vertebra/src/test/resources/golden");
  private static final int THREADS = 2;

  @TempDir
  private Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"basic", "fourstage", "nonsquare", "oddwindow", "options", "timm_nonsquare", "timm_pad",
      "timm_windows", "timm_dynamic"})
  void miniModels(String name) throws IOException {
    check(GOLDEN.resolve("mini/swin_mini_" + name + ".safetensors"), 1e-5);
  }

  @Test
  void swinTiny() throws IOException {
    check(GOLDEN.resolve("full/swin_tiny_patch4_window7_224.safetensors"), 1e-4);
  }

  private void check(Path file, double tolerance) throws IOException {
    Safetensors golden = Safetensors.open(file);
    double[] expected = golden.find("logits", null).toDoubles();
    Workload workload = workload(golden.metadata());
    try (Engine vertebra = new VertebraEngine(workload, THREADS);
         Engine onnxRuntime = new OnnxRuntimeEngine(workload, THREADS, folder);
         Engine libtorch = new LibtorchEngine(workload, THREADS, folder)) {
      for (Engine engine : List.of(vertebra, onnxRuntime, libtorch)) {
        engine.run();
        float[] logits = engine.run();
        double[] actual = IntStream.range(0, logits.length).mapToDouble(i -> logits[i]).toArray();
        assertThat(Compare.relativeError(actual, expected)).as(engine.name()).isLessThan(tolerance);
      }
    }
  }

  private static Workload workload(Map<String, String> metadata) {
    Behaviour behaviour = Behaviour.valueOf(metadata.get("behaviour").toUpperCase(Locale.ROOT));
    List<?> dims = (List<?>) Json.parse(metadata.get("shape"));
    Shape shape = Shape.of(dims.stream().mapToInt(Integer.class::cast).toArray());
    return new Workload(SwinConfig.of(Json.parseObject(metadata.get("config")), behaviour), new FormulaWeights(),
        FormulaWeights.input(metadata.get("input"), shape), shape);
  }

  @Test
  void enginesAgreeOnABatch() throws IOException {
    try (Comparison comparison = new Comparison(Families.named("swin_tiny_patch4_window7_224"), 2, THREADS)) {
      assertThat(comparison.agree()).containsOnlyKeys("onnxruntime", "libtorch")
          .allSatisfy((engine, error) -> assertThat(error).isLessThan(1e-4));
    }
  }
}
