package io.vertebra.backbone.uniformer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.vertebra.Device;
import io.vertebra.Families;
import io.vertebra.FeatureMap;
import io.vertebra.Model;
import io.vertebra.Session;
import io.vertebra.TinyModels;
import io.vertebra.backbone.Backbone;
import io.vertebra.backbone.Manifest;
import io.vertebra.backbone.ModelStatistics;
import io.vertebra.backbone.uniformer.UniFormerConfig.Kind;
import io.vertebra.backend.Backend;
import io.vertebra.backend.Program;
import io.vertebra.program.Recording;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Size;
import io.vertebra.weights.FormulaWeights;
import io.vertebra.weights.MemorySource;
import io.vertebra.weights.WeightsException;
import java.io.IOException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class UniFormerTest {
  private static final Map<String, Object> MINI
      = Map.of("depth", List.of(1, 1, 2, 1), "embed_dim", List.of(8, 16, 24, 32), "head_dim", 8, "num_classes", 5);

  /** GMACs with those of the products of attention. */
  @ParameterizedTest
  @CsvSource({"uniformer_small, 21545256, 3.632", "uniformer_small_plus, 24032552, 4.201",
    "uniformer_small_plus_dim64, 24032552, 4.201", "uniformer_base, 49776552, 8.249",
    "uniformer_base_ls, 49796520, 8.249", "uniformer_tl_small, 22058256, 3.657",
    "uniformer_tl_small_dim64, 22058256, 3.657", "uniformer_tl_small_plus, 24545552, 4.226",
    "uniformer_tl_small_plus_dim64, 24545552, 4.226", "uniformer_tl_base, 50289552, 8.274",
    "uniformer_tl_base_dim64, 50289552, 8.274", "uniformer_tl_large_ls, 100103888, 19.715",
    "uniformer_tl_small_384, 22058256, 11.908", "uniformer_tl_small_plus_384, 24545552, 13.722",
    "uniformer_tl_base_384, 50289552, 27.214", "uniformer_tl_large_ls_384, 100103888, 62.764",
    "uniformer_video_small_k400, 21400400, 41.662", "uniformer_video_base_k400, 49813200, 96.554",
    "uniformer_dense_small_h14, 21033280, 98.76", "uniformer_dense_small, 21033280, 23.48",
    "uniformer_pose_small, 21033280, 3.56"})
  void costsAreThePublishedOnes(String variant, long parameters, double gmacs) {
    ModelStatistics statistics = ModelStatistics.of(Families.named(variant).architecture());
    assertThat(statistics.parameterCount()).isEqualTo(parameters);
    assertThat(statistics.macs() / 1e9).isEqualTo(gmacs, within(0.002 * gmacs));
  }

  @ParameterizedTest
  @CsvSource({"uniformer_dense_small_w32, 512, 640, 21033280, 35.95",
    "uniformer_dense_base_h14, 512, 512, 49264576, 52.12"})
  void denseModelsCostWhatIsCounted(String variant, int height, int width, long parameters, double gmacs) {
    UniFormerConfig config = (UniFormerConfig) Families.named(variant).architecture();
    ModelStatistics statistics = ModelStatistics.of(config.withInput(0, new Size(height, width)));
    assertThat(statistics.parameterCount()).isEqualTo(parameters);
    assertThat(statistics.macs() / 1e9).isEqualTo(gmacs, within(0.002 * gmacs));
  }

  @ParameterizedTest
  @CsvSource({"uniformer_xxs_128, 10215280, 0.425", "uniformer_xxs_160, 10215280, 0.657",
    "uniformer_xxs_192, 10215280, 0.951", "uniformer_xxs_224, 10215280, 1.299", "uniformer_xs_192, 16509264, 1.417",
    "uniformer_xs_224, 16509264, 1.931"})
  void lightModelsCostWhatIsCounted(String variant, long parameters, double gmacs) {
    ModelStatistics statistics = ModelStatistics.of(Families.named(variant).architecture());
    assertThat(statistics.parameterCount()).isEqualTo(parameters);
    assertThat(statistics.macs() / 1e9).isEqualTo(gmacs, within(0.02 * gmacs));
  }

  @ParameterizedTest
  @CsvSource({"uniformer_small, uniformer_small", "uniformer_small_plus, uniformer_small_plus",
    "uniformer_base, uniformer_base", "uniformer_small_plus_dim64, uniformer_small_plus_dim64",
    "uniformer_base_ls, uniformer_base_ls", "uniformer_tl_small, uniformer_tl_small",
    "uniformer_tl_small_dim64, uniformer_tl_small_dim64", "uniformer_tl_small_plus, uniformer_tl_small_plus",
    "uniformer_tl_small_plus_dim64, uniformer_tl_small_plus_dim64", "uniformer_tl_base, uniformer_tl_base",
    "uniformer_tl_base_dim64, uniformer_tl_base_dim64", "uniformer_tl_large_ls, uniformer_tl_large_ls",
    "uniformer_xxs_224, uniformer_xxs", "uniformer_xs_224, uniformer_xs",
    "uniformer_dense_small, uniformer_dense_small", "uniformer_dense_base_h14, uniformer_dense_base",
    "uniformer_pose_small, uniformer_dense_small", "uniformer_light_dense_xxs, uniformer_light_dense_xxs",
    "uniformer_light_dense_xs, uniformer_light_dense_xs", "uniformer_light_video_xxs_16x128, uniformer_light_video_xxs",
    "uniformer_light_video_xxs_4x128, uniformer_light_video_xxs_ls",
    "uniformer_light_video_xs_32x192, uniformer_light_video_xs",
    "uniformer_video_small_k400, uniformer_video_small_k400", "uniformer_video_base_k400, uniformer_video_base_k400",
    "uniformer_video_small_ssv2, uniformer_video_small_ssv2"})
  void parametersAreThoseOfTheManifest(String variant, String manifest) throws IOException {
    assertThat(ModelStatistics.of(Families.named(variant).architecture()).parameters())
        .containsExactlyInAnyOrderEntriesOf(Manifest.parameters(manifest + ".json"));
  }

  private static MemorySource checkpoint(String manifest, UnaryOperator<String> naming) throws IOException {
    Map<String, Shape> shapes = new LinkedHashMap<>();
    Manifest.all(manifest + ".json").forEach((name, shape) -> shapes.put(naming.apply(name), shape));
    return MemorySource.formula(shapes);
  }

  @ParameterizedTest
  @CsvSource({"uniformer_small, uniformer_small", "uniformer_base_ls, uniformer_base_ls",
    "uniformer_tl_large_ls, uniformer_tl_large_ls", "uniformer_xxs, uniformer_xxs_224",
    "uniformer_xs, uniformer_xs_224", "uniformer_video_small_k400, uniformer_video_small_k400",
    "uniformer_video_small_ssv2, uniformer_video_small_ssv2", "uniformer_light_dense_xs, uniformer_light_dense_xs",
    "uniformer_light_video_xs, uniformer_light_video_xs_32x192"})
  void checkpointsThatFitOneModelAreRecognised(String manifest, String variant) throws IOException {
    assertThat(Families.recognise(checkpoint(manifest, name -> "module." + name)))
        .isEqualTo(Families.named(variant).architecture());
  }

  @ParameterizedTest
  @CsvSource({"uniformer_small_plus, uniformer_small_plus_dim64", "uniformer_tl_base, uniformer_tl_base_dim64",
    "uniformer_dense_small, uniformer_dense_small_h14"})
  void checkpointsThatFitSeveralAreNotGuessedAt(String manifest, String variant) throws IOException {
    MemorySource source = checkpoint(manifest, UnaryOperator.identity());
    assertThatThrownBy(() -> Families.recognise(source)).isInstanceOf(WeightsException.class)
        .hasMessageContaining(variant);
  }

  @Test
  void detectorsAndClassifiersServeAsDenseBackbones() throws IOException {
    UniFormerConfig dense = (UniFormerConfig) Families.named("uniformer_dense_small").architecture();
    MemorySource classifier = checkpoint("uniformer_tl_small", UnaryOperator.identity());
    Map<String, Shape> detector = new LinkedHashMap<>();
    Manifest.all("uniformer_dense_small.json").forEach((name, shape) -> detector.put("backbone." + name, shape));
    detector.put("neck.lateral_convs.0.conv.weight", Shape.of(256, 64, 1, 1));
    try (Backend backend = new ReferenceBackend()) {
      for (MemorySource source : List.of(classifier, MemorySource.formula(detector))) {
        assertThat(dense.adaptTo(source)).isEqualTo(dense);
        assertThat(dense.load(source, backend).embeddingWidth()).isZero();
      }
      UniFormerConfig plain = (UniFormerConfig) Families.named("uniformer_small").architecture();
      assertThat(plain.load(classifier, backend).classes()).isEqualTo(1000);
    }
  }

  @Test
  void theHeadMayHaveAnyNumberOfClassesOrBeMissing() throws IOException {
    UniFormerConfig config = (UniFormerConfig) Families.named("uniformer_video_base_k600").architecture();
    assertThat(config.adaptTo(checkpoint("uniformer_video_base_k400", UnaryOperator.identity())).classes())
        .isEqualTo(400);
    MemorySource headless = checkpoint("uniformer_small", name -> name.startsWith("head.") ? "neck." + name : name);
    headless.parameters().keySet().removeIf(name -> name.startsWith("neck."));
    UniFormerConfig embedding = (UniFormerConfig) Families.recognise(headless);
    assertThat(embedding.classes()).isZero();
    assertThat(embedding.load(headless, new ReferenceBackend()).embeddingWidth()).isEqualTo(512);
  }

  @Test
  void missingParametersAreNamed() throws IOException {
    MemorySource source = checkpoint("uniformer_small", UnaryOperator.identity());
    source.parameters().remove("blocks3.4.attn.proj.bias");
    UniFormerConfig config = (UniFormerConfig) Families.named("uniformer_small").architecture();
    assertThatThrownBy(() -> config.load(source, new ReferenceBackend())).isInstanceOf(WeightsException.class)
        .hasMessageContaining("missing (1): blocks3.4.attn.proj.bias");
  }

  @ParameterizedTest
  @CsvSource({"31, 64, false", "64, 31, false", "16, 16, false"})
  void inputsWithoutAPatchForEveryStageAreRefused(int height, int width, boolean convStem) {
    UniFormer model = mini(Map.of("conv_stem", convStem), Kind.IMAGE, new ReferenceBackend());
    assertThatThrownBy(() -> Recording.of(Shape.of(1, height, width, 3), Set.of(Backbone.LOGITS), model::forward))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("an input of " + height + "x" + width + " is too small");
  }

  @ParameterizedTest
  @CsvSource({"32, 32, false", "37, 201, false", "1, 1, true", "33, 50, true"})
  void anyOtherSizeRuns(int height, int width, boolean convStem) {
    try (Backend backend = new ReferenceBackend()) {
      UniFormer model = mini(Map.of("conv_stem", convStem), Kind.TOKEN_LABELING, backend);
      Shape shape = Shape.of(2, height, width, 3);
      try (Program program = backend.compile(Recording.of(shape, Set.of(Backbone.LOGITS), model::forward))) {
        program.input().put(FormulaWeights.input("any size", Shape.of(2, 3, height, width)));
        program.run();
        assertThat(program.read(Backbone.LOGITS)).hasSize(10).doesNotContain(Float.NaN);
      }
    }
  }

  private static UniFormer mini(Map<String, Object> options, Kind kind, Backend backend) {
    Map<String, Object> arguments = new HashMap<>(MINI);
    arguments.putAll(options);
    return UniFormerConfig.of(arguments, kind).load(new FormulaWeights(), backend);
  }

  @Test
  void videoModelsTakeClipsAndNothingElse() {
    UniFormerConfig config = UniFormerConfig.of(MINI, Kind.VIDEO).withInput(4, Size.square(32));
    Shape clips = Shape.of(2, 3, 4, 32, 48);
    float[] input = FormulaWeights.input("clips", clips);
    Model.Builder builder = Model.builder("uniformer_video_small_k400").architecture(config);
    try (Model model = builder.weights(new FormulaWeights()).device(Device.REFERENCE).build();
        Session session = model.newSession()) {
      assertThat(session.run(input, clips, Set.of(Backbone.LOGITS)).get(Backbone.LOGITS)).hasSize(2 * 5);
      List<FeatureMap> maps = session.features(input, clips);
      assertThat(maps).extracting(FeatureMap::batch).containsOnly(2 * 2);
      assertThat(maps).extracting(FeatureMap::width).containsExactly(12, 6, 3, 1);
      assertThat(maps.get(0).values()).hasSize(2 * 2 * 8 * 12 * 8);
      assertThatThrownBy(() -> session.run(input, Shape.of(8, 3, 32, 48), Set.of(Backbone.LOGITS)))
          .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("[batch, 3, frames, height, width]");
      assertThatThrownBy(() -> session.embed(TinyModels.image(0))).isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("takes clips, not images");
    }
  }

  @ParameterizedTest
  @CsvSource({"IMAGE, depth", "LIGHT, prune_ratio"})
  void argumentsThatMakeNoModelAreRefused(Kind kind, String missing) {
    Map<String, Object> arguments = new HashMap<>(MINI);
    arguments.remove("depth".equals(missing) ? "depth" : "nothing");
    assertThatThrownBy(() -> UniFormerConfig.of(arguments, kind)).isInstanceOf(WeightsException.class)
        .hasMessageContaining(missing);
  }

  @Test
  void argumentsOfAnotherKindAreRefused() {
    for (String option : List.of("windows", "split", "std")) {
      Map<String, Object> arguments = new HashMap<>(MINI);
      arguments.put(option, true);
      assertThatThrownBy(() -> UniFormerConfig.of(arguments, Kind.IMAGE)).isInstanceOf(WeightsException.class)
          .hasMessageContaining("IMAGE");
    }
  }
}
