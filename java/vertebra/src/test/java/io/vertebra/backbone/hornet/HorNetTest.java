package io.vertebra.backbone.hornet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.vertebra.Families;
import io.vertebra.backbone.Backbone;
import io.vertebra.backbone.Manifest;
import io.vertebra.backbone.ModelStatistics;
import io.vertebra.backend.Backend;
import io.vertebra.backend.Program;
import io.vertebra.program.Recording;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Size;
import io.vertebra.weights.FormulaWeights;
import io.vertebra.weights.MemorySource;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.WeightsException;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HorNetTest {
  private static final String TINY = "hornet_tiny_gf";
  private static final Map<String, Object> SMALL = Map.of("base_dim", 8, "depths", List.of(1, 1, 1, 1), "num_classes",
      5, "gnconv", List.of(Map.of("order", 2, "s", "1/3"), Map.of("order", 3, "s", 0.5, "filter", "gf", "h", 4, "w", 3),
          Map.of("order", 1), Map.of("order", 5)));

  @ParameterizedTest
  @CsvSource({"hornet_tiny_7x7, 22409512, 3968389312", "hornet_tiny_gf, 22991848, 3888705120",
    "hornet_small_7x7, 49528264, 8813970720", "hornet_small_gf, 50401768, 8694444432",
    "hornet_base_7x7, 87256680, 15567143296", "hornet_base_gf, 88421352, 15407774912",
    "hornet_base_gf_img384, 92099560, 45278006272", "hornet_large_7x7, 194542504, 34796261952",
    "hornet_large_gf, 196289512, 34557209376", "hornet_large_gf_img384, 201806824, 101552902656",
    "hornet_large_7x7_22k, 209080987, 34810790976", "hornet_large_gf_22k, 210827995, 34571738400",
    "hornet_large_gf_img384_22k, 216345307, 101567431680"})
  void costsAndParametersAreThePublishedOnes(String variant, long parameters, long macs) throws IOException {
    ModelStatistics statistics = ModelStatistics.of(Families.named(variant).architecture());
    assertThat(statistics.parameterCount()).isEqualTo(parameters);
    assertThat(statistics.macs()).isEqualTo(macs);
    assertThat(statistics.parameters()).containsExactlyInAnyOrderEntriesOf(Manifest.parameters(variant + ".json"));
  }

  @ParameterizedTest
  @CsvSource({"hornet_small_7x7_dense, 96, 0, 0, 0, 0", "hornet_tiny_gf_dense_det, 64, 14, 8, 7, 4",
    "hornet_tiny_gf_dense_seg, 64, 24, 13, 12, 7"})
  void denseBackbonesAreRecognisedAndAskForTheirManifest(String name, int width, int h2, int w2, int h3, int w3)
      throws IOException {
    Map<String, Shape> manifest = Manifest.parameters(name + ".json");
    HorNetConfig config = (HorNetConfig) Families.recognise(MemorySource.formula(manifest));
    assertThat(config.dense()).isTrue();
    assertThat(config.width()).isEqualTo(width);
    Optional<Size> stage2 = h2 == 0 ? Optional.empty() : Optional.of(new Size(h2, w2));
    Optional<Size> stage3 = h3 == 0 ? Optional.empty() : Optional.of(new Size(h3, w3));
    assertThat(config.spatial()).extracting(HorNetConfig.Spatial::filter).containsExactly(Optional.empty(),
        Optional.empty(), stage2, stage3);
    assertThat(ModelStatistics.of(config).parameters()).containsExactlyInAnyOrderEntriesOf(manifest);
  }

  private static MemorySource checkpoint(UnaryOperator<String> naming) throws IOException {
    Map<String, Shape> shapes = new LinkedHashMap<>();
    Manifest.parameters(TINY + ".json").forEach((name, shape) -> shapes.put(naming.apply(name), shape));
    return MemorySource.formula(shapes);
  }

  /** Loading asks for everything by name and shape. */
  private static HorNetConfig recognised(MemorySource source) {
    HorNetConfig config = (HorNetConfig) Families.recognise(source);
    try (Backend backend = new ReferenceBackend()) {
      assertThat(config.load(source, backend).classes()).isEqualTo(config.classes());
    }
    return config;
  }

  @Test
  void publishedCheckpointsAreRecognised() throws IOException {
    HorNetConfig tiny = (HorNetConfig) Families.named(TINY).architecture();
    assertThat(recognised(checkpoint(name -> name))).isEqualTo(tiny);
    assertThat(recognised(checkpoint(name -> "module." + name))).isEqualTo(tiny);
    assertThat(recognised(checkpoint(HorNetTest::mmpretrainName))).isEqualTo(tiny);
    MemorySource detector = checkpoint(name -> "backbone." + name);
    detector.parameters().keySet()
        .removeIf(name -> name.startsWith("backbone.norm.") || name.startsWith("backbone.head."));
    for (int i = 0; i < 4; i++) {
      for (String kind : List.of("weight", "bias")) {
        String name = "backbone.norm" + i + "." + kind;
        detector.parameters().put(name, new FormulaWeights().find(name, Shape.of(64 << i)));
      }
    }
    detector.parameters().put("neck.lateral_convs.0.conv.bias", new FormulaWeights().find("x.bias", Shape.of(256)));
    assertThat(recognised(detector)).isEqualTo(tiny.with(true, 0, true));
  }

  private static String mmpretrainName(String name) {
    if (name.startsWith("head.")) {
      return name.replace("head.", "head.fc.");
    }
    return "backbone."
        + name.replaceAll("^norm\\.", "norm3.").replace(".pws.", ".projs.").replaceAll("gamma(\\d)$", "gamma$1.weight");
  }

  @Test
  void aDamagedCheckpointIsRefusedByName() throws IOException {
    MemorySource damaged
        = checkpoint(name -> name.equals("stages.2.5.gnconv.pws.1.weight") ? "stages.2.5.gnconv.pws.1.wait" : name);
    assertThatThrownBy(() -> recognised(damaged)).isInstanceOf(WeightsException.class)
        .hasMessageContaining("stages.2.5.gnconv.pws.1.weight").hasMessageContaining("stages.2.5.gnconv.pws.1.wait");
  }

  @Test
  void filtersOfAnotherSizeAreResizedWhenLoaded() throws IOException {
    MemorySource source = checkpoint(name -> name);
    HorNetConfig larger = HorNetConfig.published(64,
        List.of(Optional.empty(), Optional.empty(), Optional.of(new Size(27, 15)), Optional.of(new Size(7, 4))), 1000);
    try (Backend backend = new ReferenceBackend()) {
      assertThat(larger.load(source, backend).classes()).isEqualTo(1000);
    }
    String name = "stages.2.3.gnconv.dwconv.complex_weight";
    float[] stored = source.find(name, null).toFloats();
    Parameter found = HorNetCheckpoint.naming(source).find(name, Shape.of(240, 27, 15, 2));
    assertThat(found.shape()).isEqualTo(Shape.of(240, 27, 15, 2));
    float[] resized = found.toFloats();
    for (int c = 0; c < 240; c++) {
      for (int part = 0; part < 2; part++) {
        // Every second sample is a stored one, the others lie half way between two.
        int from = c * 14 * 8 * 2 + part;
        int to = c * 27 * 15 * 2 + part;
        assertThat(resized[to + (26 * 15 + 14) * 2]).isEqualTo(stored[from + (13 * 8 + 7) * 2], within(1e-6f));
        assertThat(resized[to + (4 * 15 + 7) * 2])
            .isEqualTo((stored[from + (2 * 8 + 3) * 2] + stored[from + (2 * 8 + 4) * 2]) / 2, within(1e-6f));
        assertThat(resized[to + (5 * 15 + 6) * 2])
            .isEqualTo((stored[from + (2 * 8 + 3) * 2] + stored[from + (3 * 8 + 3) * 2]) / 2, within(1e-6f));
      }
    }
  }

  @Test
  void anySizeFromThirtyTwoPixelsOnIsTaken() {
    try (Backend backend = new ReferenceBackend()) {
      Backbone hornet = HorNetConfig.of(SMALL, false).load(new FormulaWeights(), backend);
      for (int height = 32; height <= 70; height++) {
        Shape input = Shape.of(1, height, 101, 3);
        Recording recording = Recording.of(input, Set.of(Backbone.LOGITS, "stage3"), hornet::forward);
        assertThat(recording.outputs().get("stage3").shape()).isEqualTo(Shape.of(1, height / 32, 3, 64));
      }
      for (Shape input : List.of(Shape.of(1, 31, 64, 3), Shape.of(1, 64, 31, 3))) {
        assertThatThrownBy(() -> Recording.of(input, Set.of(Backbone.LOGITS), hornet::forward))
            .isInstanceOf(IllegalArgumentException.class).hasMessageContaining(input.dim(1) + "x" + input.dim(2))
            .hasMessageContaining("32x32");
      }
    }
  }

  @Test
  void aClassifiersFeaturesAreNormalisedByUnitNorms() {
    try (Backend backend = new ReferenceBackend()) {
      Backbone hornet = HorNetConfig.of(SMALL, false).load(new FormulaWeights(), backend);
      assertThat(hornet.featureStrides()).containsExactly(4, 8, 16, 32);
      Recording recording = Recording.of(Shape.of(1, 64, 96, 3), Set.copyOf(hornet.featureNames()), hornet::features);
      try (Program program = backend.compile(recording)) {
        program.input().put(FormulaWeights.input("x", Shape.of(1, 64, 96, 3)));
        program.run();
        for (int i = 0; i < 4; i++) {
          int width = 8 << i;
          float[] map = program.read("out" + i);
          assertThat(recording.outputs().get("out" + i).shape()).isEqualTo(Shape.of(1, 16 >> i, 24 >> i, width));
          for (int row = 0; row < map.length / width; row++) {
            double sum = 0;
            double squares = 0;
            for (int c = 0; c < width; c++) {
              sum += map[row * width + c];
              squares += map[row * width + c] * map[row * width + c];
            }
            assertThat(sum).isEqualTo(0, within(1e-4));
            assertThat(squares / width).isEqualTo(1, within(1e-3));
          }
        }
      }
    }
  }

  @Test
  void configurationsThatCannotBeAreRefused() {
    Map<String, Object> fine = Map.of("base_dim", 16, "depths", List.of(1, 1), "orders", List.of(2, 3));
    assertThat(HorNetConfig.of(fine, false).stages()).isEqualTo(2);
    for (Map<String, Object> wrong : List.<Map<String, Object>>of(Map.of("orders", List.of(2)),
        Map.of("orders", List.of(2, 7)), Map.of("base_dim", 17), Map.of("gf", List.of(4, 4)), Map.of("scale", 0),
        Map.of("depths", List.of(1, 0)), Map.of("window", 7), Map.of("gnconv", List.of("gf", "gf")),
        Map.of("gnconv", List.of(Map.of("filter", "lama"), Map.of())),
        Map.of("gnconv", List.of(Map.of("s", "1/x"), Map.of())))) {
      Map<String, Object> arguments = new LinkedHashMap<>(fine);
      arguments.putAll(wrong);
      assertThatThrownBy(() -> HorNetConfig.of(arguments, false), "%s", wrong).isInstanceOf(WeightsException.class);
    }
  }
}
