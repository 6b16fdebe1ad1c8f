package io.vertebra;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.backbone.Backbone;
import io.vertebra.backbone.ModelStatistics;
import io.vertebra.backbone.swin.SwinConfig;
import io.vertebra.image.Image;
import io.vertebra.image.Preprocessing;
import io.vertebra.tensor.DType;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.VertebraException;
import io.vertebra.weights.FormulaWeights;
import io.vertebra.weights.MemorySource;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.WeightsException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

class ModelTest {
  private static final String TINY = "swin_tiny_patch4_window7_224";

  /** A model's parameters, under other names, with formula values. */
  private static MemorySource checkpoint(String variant, UnaryOperator<String> naming) {
    Map<String, Shape> shapes = new LinkedHashMap<>();
    ModelStatistics.of(Families.named(variant).architecture()).parameters()
        .forEach((name, shape) -> shapes.put(naming.apply(name), shape));
    return MemorySource.formula(shapes);
  }

  private static void put(MemorySource checkpoint, String name, Shape shape) {
    checkpoint.parameters().put(name, new FormulaWeights().find(name, shape));
  }

  private static Model build(ParameterSource source) {
    return Model.builder().weights(source).build();
  }

  @Test
  void variantAndClassesAreReadFromTheParameters() {
    try (Model model = build(checkpoint(TINY, name -> name))) {
      assertThat(model.name()).isEqualTo(TINY);
      assertThat(model.labels()).hasSize(1000);
      assertThat(model.labels().get(0)).startsWith("tench");
      assertThat(model.embeddingWidth()).isEqualTo(768);
      assertThat(model.preprocessing()).isEqualTo(Preprocessing.official(224));
    }
    MemorySource tenClasses = checkpoint(TINY, name -> name);
    put(tenClasses, "head.weight", Shape.of(10, 768));
    put(tenClasses, "head.bias", Shape.of(10));
    try (Model model = Model.builder(TINY).weights(tenClasses).build()) {
      assertThat(model.labels()).hasSize(10).endsWith("9");
    }
  }

  @Test
  void timmNamesLoadAndBringTimmsRules() {
    MemorySource timm = checkpoint(TINY, io.vertebra.backbone.swin.SwinCheckpoint::timmName);
    try (Model model = build(timm)) {
      assertThat(((SwinConfig) model.architecture()).behaviour()).isEqualTo(SwinConfig.Behaviour.TIMM);
      assertThat(model.preprocessing()).isEqualTo(Preprocessing.timm(224, 0.9));
    }
  }

  @Test
  void aDenseCheckpointGivesFeaturesOnly() {
    MemorySource dense = checkpoint(TINY, name -> name);
    dense.parameters().keySet().removeIf(name -> name.startsWith("norm.") || name.startsWith("head."));
    for (int i = 0; i < 4; i++) {
      put(dense, "norm" + i + ".weight", Shape.of(96 << i));
      put(dense, "norm" + i + ".bias", Shape.of(96 << i));
    }
    try (Model model = build(dense); Session session = model.newSession()) {
      Shape shape = Shape.of(1, 3, 60, 70);
      float[] input = FormulaWeights.input("x", shape);
      assertThat(session.features(input, shape)).extracting(FeatureMap::channels).containsExactly(96, 192, 384, 768);
      assertThatThrownBy(() -> session.run(input, shape, Set.of("logits"))).isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("dense");
    }
  }

  @Test
  void prefixesAndForeignPartsAreSetAside() {
    MemorySource wrapped = checkpoint(TINY, name -> "module.backbone." + name);
    put(wrapped, "module.neck.conv.weight", Shape.of(8, 8, 3, 3));
    try (Model model = build(wrapped)) {
      assertThat(model.name()).isEqualTo(TINY);
    }
  }

  @Test
  void withoutAHeadThereAreEmbeddingsButNoClasses() {
    MemorySource headless = checkpoint(TINY, name -> name);
    headless.parameters().keySet().removeIf(name -> name.startsWith("head."));
    Image image = TinyModels.image(0);
    try (Model model = build(headless); Session session = model.newSession()) {
      assertThat(session.embed(image)).hasSize(768);
      Shape raw = Shape.of(1, 3, 224, 224);
      float[] input = FormulaWeights.input("x", raw);
      for (ThrowingCallable call : List.<ThrowingCallable>of(() -> session.classify(image, 1),
          () -> session.logitsAll(List.of(image)), () -> session.run(input, raw, Set.of(Backbone.LOGITS)))) {
        assertThatThrownBy(call).isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("model swin have no classifier; use embed or features");
      }
      assertThat(session.embed(image)).as("after refusals").hasSize(768);
    }
  }

  @Test
  void everyParameterThatDoesNotFitIsListed() {
    MemorySource wrong = checkpoint(TINY, name -> name);
    wrong.parameters().remove("layers.2.blocks.3.mlp.fc1.bias");
    put(wrong, "norm.weight", Shape.of(767));
    put(wrong, "extra.weight", Shape.of(1));
    put(wrong, "layers.0.blocks.1.attn_mask", Shape.of(64, 49, 49));
    assertThatThrownBy(() -> build(wrong)).isInstanceOf(WeightsException.class)
        .hasMessageContaining("missing (1): layers.2.blocks.3.mlp.fc1.bias")
        .hasMessageContaining("unexpected (1): extra.weight").hasMessageContaining("norm.weight")
        .hasMessageContaining("[768]");
  }

  @Test
  void weightsThatAreNotNumbersAreNamed() {
    for (String name : new String[] {"layers.1.blocks.0.attn.qkv.weight", "layers.1.blocks.0.norm1.bias"}) {
      for (float bad : new float[] {Float.NaN, Float.NEGATIVE_INFINITY}) {
        for (Device device : new Device[] {Device.CPU, Device.REFERENCE}) {
          MemorySource damaged = checkpoint(TINY, own -> own);
          Parameter parameter = damaged.find(name, null);
          float[] values = parameter.toFloats();
          values[values.length - 1] = bad;
          damaged.parameters().put(name, Parameter.of(name, parameter.shape(), values));
          assertThatThrownBy(() -> Model.builder().weights(damaged).device(device).build())
              .isInstanceOf(WeightsException.class).hasMessageContaining(name);
        }
      }
    }
  }

  @Test
  void unusableRequestsAreRefused() {
    assertThatThrownBy(() -> Model.builder("swin_huge")).isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("swin_huge").hasMessageContaining(TINY);
    assertThatThrownBy(() -> Model.builder(TINY).build()).isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("weights");
    assertThatThrownBy(() -> Model.builder(TINY).weights(new FormulaWeights()).threads(-1).build())
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Model.builder(TINY).weights(new FormulaWeights()).device(Device.REFERENCE)
        .precision(Precision.BF16).build()).isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("reference").hasMessageContaining("bf16");
    assertThatThrownBy(() -> Device.REFERENCE.open(1, Precision.INT8)).isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("reference", "int8");
    assertThatThrownBy(() -> Device.CPU.open(1, Precision.FP16)).isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("fp16", "cuda");
    assertThatThrownBy(() -> Device.CPU.open(1, Precision.TF32)).isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("tf32", "cuda");
    assertThatThrownBy(() -> new Device("gpu")).isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("gpu", "cuda:N");
    assertThatThrownBy(() -> Device.cuda(-1)).isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("cuda:-1");
    assertThatThrownBy(() -> Device.cuda().open(1, Precision.FP32)).isInstanceOf(VertebraException.class)
        .hasMessageContaining("io.vertebra:vertebra-cuda");
    MemorySource other = MemorySource.formula(Map.of());
    put(other, "conv1.weight", Shape.of(64, 3, 7, 7));
    assertThatThrownBy(() -> build(other)).isInstanceOf(WeightsException.class).hasMessageContaining("no known family");
    MemorySource flat = checkpoint(TINY, name -> name);
    flat.parameters().put("patch_embed.proj.weight",
        Parameter.of("patch_embed.proj.weight", Shape.of(4), new float[4]));
    assertThatThrownBy(() -> build(flat)).isInstanceOf(WeightsException.class)
        .hasMessageContaining("patch_embed.proj.weight");
    MemorySource integers = checkpoint(TINY, name -> name);
    integers.parameters().put("norm.bias", new Parameter("norm.bias", Shape.of(768), DType.I32, () -> null));
    assertThatThrownBy(() -> build(integers)).isInstanceOf(WeightsException.class).hasMessageContaining("norm.bias");
  }
}
