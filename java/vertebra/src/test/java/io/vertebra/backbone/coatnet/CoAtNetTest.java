package io.vertebra.backbone.coatnet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.vertebra.Families;
import io.vertebra.backbone.Backbone;
import io.vertebra.backbone.Manifest;
import io.vertebra.backbone.ModelStatistics;
import io.vertebra.backbone.RelativePositions;
import io.vertebra.backbone.TableResize;
import io.vertebra.backbone.TableResize.Table;
import io.vertebra.backbone.Variant;
import io.vertebra.backend.Backend;
import io.vertebra.backend.Program;
import io.vertebra.image.Preprocessing;
import io.vertebra.program.Recording;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.reference.ReferenceBackend.ReferenceWeights;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Size;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.FormulaWeights;
import io.vertebra.weights.Json;
import io.vertebra.weights.MemorySource;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.WeightsException;
import java.io.IOException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.IntPredicate;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CoAtNetTest {
  private static final String NANO = "coatnet_nano_rw_224";
  private static final String SMALL = """
      {"embed_dim": [8, 8, 16, 16], "depths": [1, 1, 2, 1], "stem_width": [4, 8], "num_classes": 5, "img_size": 64,
       "conv_cfg": {"expand_output": false, "stride_mode": "%s", "pool_type": "%s"},
       "transformer_cfg": {"dim_head": 8, "expand_first": false, "pool_type": "%s",
       "rel_pos_type": "%s", "rel_pos_dim": 6}}""";

  private static CoAtNetConfig small(String stride, String pool, String bias) {
    return CoAtNetConfig.of(Json.parseObject(SMALL.formatted(stride, pool, pool, bias)));
  }

  private static CoAtNetConfig published(String variant) {
    return (CoAtNetConfig) Families.named(variant).architecture();
  }

  /** The published counts evaluate the network of a computed bias on every run, which a loaded model does once. */
  private static long biasMacs(CoAtNetConfig config) {
    long macs = 0;
    int hidden = config.transformer().biasHidden();
    for (int stage = 2; stage < 4; stage++) {
      int in = config.widths().get(stage - 1);
      int out = config.widths().get(stage);
      Size map = config.builtMap(stage, config.image());
      long offsets = (2L * map.rows() - 1) * (2L * map.columns() - 1);
      int heads = (in + (config.depths().get(stage) - 1) * out) / config.transformer().headDim();
      macs += offsets * hidden * (2L * config.depths().get(stage) + heads);
    }
    return macs;
  }

  @ParameterizedTest
  @CsvSource({"coatnet_0_224, 25036820, 4.547", "coatnet_1_224, 42225776, 8.643", "coatnet_2_224, 74684744, 16.427",
    "coatnet_3_224, 166966264, 36.453", "coatnet_4_224, 275425288, 62.317", "coatnet_5_224, 687472008, 145.264",
    "coatnet_pico_rw_224, 10851364, 2.028", "coatnet_nano_rw_224, 15141244, 2.383", "coatnet_0_rw_224, 27435562, 4.406",
    "coatnet_1_rw_224, 41721502, 7.992", "coatnet_2_rw_224, 73868400, 15.019", "coatnet_3_rw_224, 165173428, 33.321",
    "coatnet_bn_0_rw_224, 27435562, 4.647", "coatnet_rmlp_nano_rw_224, 15145116, 2.594",
    "coatnet_rmlp_0_rw_224, 27446074, 4.685", "coatnet_rmlp_1_rw_224, 41691982, 7.807",
    "coatnet_rmlp_1_rw2_224, 41724622, 8.067", "coatnet_rmlp_2_rw_224, 73881264, 15.115",
    "coatnet_rmlp_2_rw_384, 73881264, 47.488", "coatnet_rmlp_3_rw_224, 165152788, 33.459",
    "coatnet_nano_cc_224, 13757328, 2.213", "coatnext_nano_rw_224, 14701244, 2.461",
    "coatnet_2_rw_224_12k, 84959925, 15.030", "coatnet_3_rw_224_12k, 181805305, 33.338",
    "coatnet_rmlp_1_rw2_224_12k, 50045971, 8.075", "coatnet_rmlp_2_rw_224_12k, 84972789, 15.126"})
  void parametersAndCostsAreThePublishedOnes(String variant, long parameters, double gmacs) throws IOException {
    ModelStatistics statistics = ModelStatistics.of(published(variant));
    assertThat(statistics.parameters()).containsExactlyInAnyOrderEntriesOf(Manifest.parameters(variant + ".json"));
    assertThat(statistics.parameterCount()).isEqualTo(parameters);
    assertThat((statistics.macs() + biasMacs(published(variant))) / 1e9).isEqualTo(gmacs, within(0.0006));
  }

  private static MemorySource checkpoint(String variant, UnaryOperator<String> naming) throws IOException {
    Map<String, Shape> shapes = new LinkedHashMap<>();
    Manifest.all(variant + ".json").forEach((name, shape) -> {
      if (naming.apply(name) != null) {
        shapes.put(naming.apply(name), shape);
      }
    });
    return MemorySource.formula(shapes);
  }

  @Test
  void everyPublishedCheckpointIsRecognised() throws IOException {
    for (Variant variant : CoAtNetFamily.family().variants()) {
      // Shapes do not tell that the largest input was used.
      String name = variant.name().replace("_384", "_224");
      assertThat(Families.recognise(checkpoint(variant.name(), own -> own))).as(variant.name())
          .isEqualTo(published(name));
    }
  }

  /** Loading asks for everything by name and shape. */
  private static CoAtNetConfig recognised(ParameterSource source) {
    CoAtNetConfig config = (CoAtNetConfig) Families.recognise(source);
    try (Backend backend = new ReferenceBackend()) {
      assertThat(config.load(source, backend).classes()).isEqualTo(config.classes());
    }
    return config;
  }

  @Test
  void prefixesOtherHeadsAndFlatConvolutionsLoad() throws IOException {
    CoAtNetConfig nano = published(NANO);
    assertThat(recognised(checkpoint(NANO, name -> "module.backbone." + name))).isEqualTo(nano);
    assertThat(recognised(checkpoint(NANO, name -> name.startsWith("head.") ? null : name)))
        .isEqualTo(nano.with(nano.image(), 0));
    MemorySource other = checkpoint(NANO, name -> name);
    other.parameters().put("head.fc.weight", new FormulaWeights().find("head.fc.weight", Shape.of(10, 512)));
    other.parameters().put("head.fc.bias", new FormulaWeights().find("head.fc.bias", Shape.of(10)));
    flatten(other, "stages.1.blocks.0.conv1_1x1.weight", 256);
    flatten(other, "stages.2.blocks.0.attn.qkv.weight", 384);
    assertThat(recognised(other)).isEqualTo(nano.with(nano.image(), 10));
    flatten(other, "stages.2.blocks.0.attn.qkv.weight", 128);
    assertThatThrownBy(() -> recognised(other)).isInstanceOf(WeightsException.class)
        .hasMessageContaining("stages.2.blocks.0.attn.qkv.weight");
  }

  /** Stores a convolution as a matrix with so many rows. */
  private static void flatten(MemorySource source, String name, int rows) {
    float[] values = source.find(name, null).toFloats();
    source.parameters().put(name, Parameter.of(name, Shape.of(rows, values.length / rows), values));
  }

  @Test
  void tablesTellTheInputSize() {
    CoAtNetConfig built = small("dw", "avg2", "bias");
    MemorySource larger = MemorySource.formula(ModelStatistics.of(built.with(Size.square(128), 5)).parameters());
    assertThat(built.adaptTo(larger)).isEqualTo(built.with(Size.square(128), 5));
    CoAtNetConfig wide = built.with(new Size(64, 96), 5);
    assertThat(wide.adaptTo(MemorySource.formula(ModelStatistics.of(wide).parameters()))).isEqualTo(wide);
  }

  @Test
  void whatShapesDoNotTellIsAskedFor() throws IOException {
    MemorySource unknown = MemorySource.formula(ModelStatistics.of(small("dw", "avg2", "bias")).parameters());
    assertThatThrownBy(() -> Families.recognise(unknown)).isInstanceOf(WeightsException.class)
        .hasMessageContaining("activations");
    MemorySource stated
        = new MemorySource(unknown.parameters(), Map.of("config", SMALL.formatted("dw", "avg2", "avg2", "bias")));
    stated.parameters().putAll(MemorySource.formula(batchStatistics(unknown)).parameters());
    assertThat(recognised(stated)).isEqualTo(small("dw", "avg2", "bias"));
    MemorySource damaged = checkpoint(NANO, name -> name.equals("stem.conv2.weight") ? null : name);
    assertThatThrownBy(() -> Families.recognise(damaged)).isInstanceOf(WeightsException.class)
        .hasMessageContaining("stem.conv2.weight");
  }

  private static Map<String, Shape> batchStatistics(MemorySource source) {
    Map<String, Shape> statistics = new HashMap<>();
    source.parameters().forEach((name, parameter) -> {
      boolean batch
          = name.endsWith("norm1.weight") || name.endsWith("norm2.weight") || name.endsWith("pre_norm.weight");
      if (batch && (name.contains("stages.0") || name.contains("stages.1") || name.startsWith("stem"))) {
        statistics.put(name.replace(".weight", ".running_mean"), parameter.shape());
        statistics.put(name.replace(".weight", ".running_var"), parameter.shape());
      }
    });
    return statistics;
  }

  @ParameterizedTest
  @ValueSource(strings = {"\"surprise\": 1", "\"depths\": [1, 1]", "\"block_type\": [\"C\", \"C\", \"T\", \"M\"]",
    "\"global_pool\": \"max\"", "\"conv_cfg\": {\"padding\": \"same\"}", "\"conv_cfg\": {\"surprise\": 1}",
    "\"conv_cfg\": {\"act_layer\": \"mish\"}", "\"conv_cfg\": {\"attn_layer\": \"eca\"}",
    "\"conv_cfg\": {\"group_size\": 2}", "\"conv_cfg\": {\"kernel_size\": 4}", "\"conv_cfg\": 3",
    "\"transformer_cfg\": {\"rel_pos_type\": \"bias_tf\"}", "\"transformer_cfg\": {\"dim_head\": 9}",
    "\"img_size\": [64]", "\"transformer_cfg\": {\"pool_type\": \"min\"}",
    "\"head_hidden_size\": 8, \"transformer_cfg\": {\"dim_head\": 8, \"norm_layer\": \"batchnorm2d\"}"})
  void configurationsOfNoCoAtNetAreRefused(String argument) {
    Map<String, Object> arguments = Json.parseObject(SMALL.formatted("dw", "avg2", "avg2", "bias"));
    arguments.putAll(Json.parseObject("{" + argument + "}"));
    assertThatThrownBy(() -> CoAtNetConfig.of(arguments)).isInstanceOf(WeightsException.class)
        .hasMessageContaining("CoAtNet configuration");
  }

  @Test
  void sizesThePublishedModelRefusesAreRefused() {
    // ceil(H / 2) must divide by 16 where a convolution and a pooling halve side by side.
    checkSizes(small("dw", "avg2", "bias"), height -> (height + 1) / 2 % 16 == 0);
    checkSizes(small("1x1", "max2", "bias"), height -> (height + 1) / 2 % 16 == 0);
    // The 3 x 3 maximum rounds up beside the 2 x 2 mean of the convolution blocks, and by itself in the transformer
    // blocks.
    checkSizes(small("pool", "max", "mlp"), height -> (height + 1) / 2 % 4 == 0);
    // Poolings alone agree with one another, but the attention is sized by rounding the other way.
    checkSizes(small("pool", "avg2", "bias"), height -> (height + 1) / 2 % 16 == 0 || height % 32 == 1 && height > 32);
  }

  private static void checkSizes(CoAtNetConfig config, IntPredicate accepts) {
    try (Backend backend = new ReferenceBackend()) {
      CoAtNet model = config.load(new FormulaWeights(), backend);
      for (int height = 1; height <= 100; height++) {
        Shape input = Shape.of(1, height, 64, 3);
        if (accepts.test(height)) {
          Recording recording = Recording.of(input, Set.of(Backbone.LOGITS), model::forward);
          assertThat(recording.outputs().get(Backbone.LOGITS).shape()).isEqualTo(Shape.of(1, 5));
        } else {
          assertThatThrownBy(() -> Recording.of(input, Set.of(Backbone.LOGITS), model::forward))
              .as("height %d", input.dim(1)).isInstanceOf(IllegalArgumentException.class)
              .hasMessageContaining(input.dim(1) + "x64").hasMessageContaining("multiples of 32");
        }
      }
    }
  }

  private static float[] run(Backend backend, Backbone model, Shape image, String output) {
    Recording recording = Recording.of(Shape.of(image.dim(0), image.dim(2), image.dim(3), image.dim(1)), Set.of(output),
        model::forward);
    try (Program program = backend.compile(recording)) {
      program.input().put(FormulaWeights.input("x", image));
      program.run();
      return program.read(recording.outputs().get(output));
    }
  }

  @Test
  void computedBiasesServeEverySize() {
    CoAtNetConfig config = small("dw", "avg2", "mlp");
    Shape image = Shape.of(2, 3, 96, 64);
    try (Backend backend = new ReferenceBackend()) {
      float[] resized = run(backend, config.load(new FormulaWeights(), backend), image, Backbone.LOGITS);
      float[] built
          = run(backend, config.with(new Size(96, 64), 5).load(new FormulaWeights(), backend), image, Backbone.LOGITS);
      assertThat(resized).isEqualTo(built).doesNotContain(0);
    }
  }

  @Test
  void tablesAreResizedForOtherSizes() {
    CoAtNetConfig config = small("dw", "avg2", "bias");
    String name = "stages.2.blocks.1.attn.";
    try (Backend backend = new ReferenceBackend()) {
      CoAtNet model = config.load(new FormulaWeights(), backend);
      float[] table
          = new FormulaWeights().find(name + "rel_pos.relative_position_bias_table", Shape.of(49, 2)).toFloats();
      Table resized = TableResize.geometric(new Table(7, 7, 2, table), 11, 7);
      Recording recording = Recording.of(Shape.of(1, 96, 64, 3), Set.of(Backbone.LOGITS), model::forward);
      WindowAttention attention = (WindowAttention) recording.calls().stream()
          .filter(call -> call.name().equals("stages.2.blocks.1.attn")).findFirst().orElseThrow().op();
      assertThat(((ReferenceWeights) attention.bias()).values())
          .isEqualTo(RelativePositions.expand(resized, new Size(6, 4)));
      assertThat(run(backend, model, Shape.of(1, 3, 96, 64), Backbone.LOGITS)).hasSize(5).doesNotContain(Float.NaN);
    }
  }

  @Test
  void featuresAreTheMapsOfTheStages() {
    CoAtNetConfig config = small("pool", "max", "mlp");
    try (Backend backend = new ReferenceBackend()) {
      CoAtNet model = config.load(new FormulaWeights(), backend);
      assertThat(model.featureNames()).containsExactly("stage0", "stage1", "stage2", "stage3");
      assertThat(model.featureStrides()).containsExactly(4, 8, 16, 32);
      Recording recording = Recording.of(Shape.of(1, 72, 64, 3), Set.copyOf(model.featureNames()), model::features);
      assertThat(model.featureNames()).extracting(recording.outputs()::get).extracting(Tensor::shape)
          .containsExactly(Shape.of(1, 18, 16, 8), Shape.of(1, 9, 8, 8), Shape.of(1, 5, 4, 16), Shape.of(1, 3, 2, 16));
    }
  }

  @Test
  void preprocessingIsThePublishedOne() {
    Preprocessing.Channels half = Preprocessing.INCEPTION;
    assertThat(published(NANO).preprocessing()).isEqualTo(Preprocessing.timm(224, 0.9).normalised(half, half));
    assertThat(published("coatnet_2_rw_224").preprocessing())
        .isEqualTo(Preprocessing.timm(224, 0.95).normalised(half, half));
    assertThat(published("coatnet_rmlp_2_rw_384").preprocessing())
        .isEqualTo(Preprocessing.squash(384).normalised(half, half));
    assertThat(published("coatnet_bn_0_rw_224").preprocessing()).isEqualTo(Preprocessing.timm(224, 0.95));
  }
}
