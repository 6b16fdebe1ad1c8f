package io.vertebra.backbone.conformer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.vertebra.Families;
import io.vertebra.backbone.Backbone;
import io.vertebra.backbone.Manifest;
import io.vertebra.backbone.ModelStatistics;
import io.vertebra.backbone.conformer.ConformerConfig.Classifiers;
import io.vertebra.backend.Backend;
import io.vertebra.backend.Program;
import io.vertebra.program.Recording;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.FormulaWeights;
import io.vertebra.weights.MemorySource;
import io.vertebra.weights.WeightsException;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ConformerTest {
  private static final String TINY = "Conformer_tiny_patch16";
  private static final Map<String, Object> SMALL
      = Map.of("channel_ratio", 0.25, "embed_dim", 24, "depth", 3, "num_heads", 2, "num_classes", 5);

  @ParameterizedTest
  @CsvSource({"Conformer_tiny_patch16, 23524704, 5.226", "Conformer_small_patch16, 37673424, 10.599",
    "Conformer_small_patch32, 38853072, 7.046", "Conformer_base_patch16, 83289136, 23.326"})
  void costsAreThePublishedOnes(String variant, long parameters, double gmacs) {
    ModelStatistics statistics = ModelStatistics.of(Families.named(variant).architecture());
    assertThat(statistics.parameterCount()).isEqualTo(parameters);
    assertThat(statistics.macs() / 1e9).isEqualTo(gmacs, within(0.0006));
  }

  @ParameterizedTest
  @ValueSource(strings = {TINY, "Conformer_small_patch16", "Conformer_small_patch32", "Conformer_base_patch16"})
  void parametersAreThoseOfTheManifest(String variant) throws IOException {
    ModelStatistics statistics = ModelStatistics.of(Families.named(variant).architecture());
    assertThat(statistics.parameters()).containsExactlyInAnyOrderEntriesOf(Manifest.parameters(variant + ".json"));
  }

  private static MemorySource checkpoint(UnaryOperator<String> naming) throws IOException {
    Map<String, Shape> shapes = new LinkedHashMap<>();
    Manifest.all(TINY + ".json").forEach((name, shape) -> {
      String own = naming.apply(name);
      if (own != null) {
        shapes.put(own, shape);
      }
    });
    return MemorySource.formula(shapes);
  }

  /** Loading asks for everything by name and shape. */
  private static ConformerConfig recognised(MemorySource source) {
    ConformerConfig config = (ConformerConfig) Families.recognise(source);
    try (Backend backend = new ReferenceBackend()) {
      assertThat(config.load(source, backend).classes()).isEqualTo(config.classes());
    }
    return config;
  }

  @Test
  void publishedCheckpointsAreRecognised() throws IOException {
    ConformerConfig tiny = (ConformerConfig) Families.named(TINY).architecture();
    assertThat(recognised(checkpoint(name -> name))).isEqualTo(tiny);
    assertThat(recognised(checkpoint(name -> "module." + name))).isEqualTo(tiny);
    assertThat(recognised(checkpoint(ConformerTest::mmpretrainName))).isEqualTo(tiny.withPadding());
    MemorySource detector
        = checkpoint(name -> name.startsWith("trans_norm") || name.contains("_cls_head") ? null : "backbone." + name);
    detector.parameters().put("neck.lateral.weight", detector.parameters().get("backbone.bn1.weight"));
    assertThat(recognised(detector)).isEqualTo(tiny.with(Classifiers.NONE, 0, false));
    assertThat(recognised(checkpoint(name -> name.startsWith("conv_cls_head") ? null : name)))
        .isEqualTo(tiny.with(Classifiers.TOKENS, 1000, false));
  }

  private static String mmpretrainName(String name) {
    return (name.contains("_cls_head") ? "head." : "backbone.") + name.replace(".norm1.", ".ln1.")
        .replace(".norm2.", ".ln2.").replace("mlp.fc1", "ffn.layers.0.0").replace("mlp.fc2", "ffn.layers.1");
  }

  @Test
  void whatShapesDoNotTellIsAskedFor() throws IOException {
    ConformerConfig small = ConformerConfig.of(SMALL, false);
    MemorySource unknown = MemorySource.formula(ModelStatistics.of(small).parameters());
    assertThatThrownBy(() -> Families.recognise(unknown)).isInstanceOf(WeightsException.class)
        .hasMessageContaining("heads");
    MemorySource damaged = checkpoint(name -> name.equals("trans_1.mlp.fc1.weight") ? null : name);
    assertThatThrownBy(() -> Families.recognise(damaged)).isInstanceOf(WeightsException.class)
        .hasMessageContaining("trans_1.mlp.fc1.weight");
  }

  @Test
  void sizesTheOfficialModelRefusesAreRefused() {
    try (Backend backend = new ReferenceBackend()) {
      ConformerConfig config = ConformerConfig.of(SMALL, false);
      Backbone official = config.load(new FormulaWeights(), backend);
      Backbone padding = config.withPadding().load(new FormulaWeights(), backend);
      for (int height = 1; height <= 66; height++) {
        Shape input = Shape.of(1, height, 32, 3);
        Recording padded = Recording.of(input, Set.of(Backbone.LOGITS), padding::forward);
        assertThat(padded.outputs().get(Backbone.LOGITS).shape()).isEqualTo(Shape.of(1, 5));
        if ((height + 3) / 4 % 4 == 0) {
          assertThat(Recording.of(input, Set.of(Backbone.LOGITS), official::forward).macs()).isEqualTo(padded.macs());
        } else {
          assertThatThrownBy(() -> Recording.of(input, Set.of(Backbone.LOGITS), official::forward))
              .isInstanceOf(IllegalArgumentException.class).hasMessageContaining(input.dim(1) + "x32")
              .hasMessageContaining("resize");
        }
      }
    }
  }

  @Test
  void theEmbeddingIsWhatBothClassifiersRead() {
    try (Backend backend = new ReferenceBackend()) {
      Backbone conformer = ConformerConfig.of(SMALL, false).load(new FormulaWeights(), backend);
      assertThat(conformer.embeddingWidth()).isEqualTo(64 + 24);
      Recording recording
          = Recording.of(Shape.of(2, 32, 16, 3), Set.of(Backbone.POOLED, "conv_pooled", "trans_norm"), r -> {
            conformer.forward(r);
            r.calls().stream().filter(call -> call.name().equals("conv_pooled") || call.name().equals("trans_norm"))
                .forEach(call -> r.output(call.name(), call.out()));
          });
      assertThat(recording.outputs().get(Backbone.POOLED).shape()).isEqualTo(Shape.of(2, 88));
      try (Program program = backend.compile(recording)) {
        program.input().put(FormulaWeights.input("x", Shape.of(2, 32, 16, 3)));
        program.run();
        float[] pooled = program.read(Backbone.POOLED);
        for (int i = 0; i < pooled.length; i++) {
          int image = i / 88;
          float[] part = program.read(i % 88 < 64 ? "conv_pooled" : "trans_norm");
          assertThat(pooled[i]).isEqualTo(i % 88 < 64 ? part[image * 64 + i % 88] : part[image * 24 + i % 88 - 64]);
        }
      }
    }
  }

  @Test
  void featuresAreTheMapsOfTheDetectionBackbone() {
    ConformerConfig tiny = (ConformerConfig) Families.named(TINY).architecture();
    try (Backend backend = new ReferenceBackend()) {
      Backbone conformer = tiny.load(new FormulaWeights(), backend);
      assertThat(conformer.featureStrides()).containsExactly(4, 8, 16, 32);
      Recording recording
          = Recording.of(Shape.of(1, 96, 64, 3), Set.copyOf(conformer.featureNames()), conformer::features);
      assertThat(conformer.featureNames()).extracting(name -> recording.outputs().get(name).shape()).containsExactly(
          Shape.of(1, 24, 16, 64), Shape.of(1, 12, 8, 128), Shape.of(1, 6, 4, 256), Shape.of(1, 3, 2, 256));
      assertThat(ConformerConfig.of(SMALL, false).load(new FormulaWeights(), backend).featureNames()).isEmpty();
    }
  }

  @Test
  void configurationsThatCannotBeAreRefused() {
    for (Map<String, Object> wrong : List.<Map<String, Object>>of(Map.of("patch_size", 24), Map.of("depth", 10),
        Map.of("num_heads", 7), Map.of("base_channel", 40), Map.of("num_classes", 0), Map.of("embed_dim", "x"),
        Map.of("window", 7))) {
      assertThatThrownBy(() -> ConformerConfig.of(wrong, false)).isInstanceOf(WeightsException.class)
          .hasMessageContaining("Conformer");
    }
  }
}
