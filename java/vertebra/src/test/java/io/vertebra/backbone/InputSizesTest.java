package io.vertebra.backbone;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.Families;
import io.vertebra.backbone.coatnet.CoAtNetConfig;
import io.vertebra.backbone.conformer.ConformerConfig;
import io.vertebra.backbone.hornet.HorFpnConfig;
import io.vertebra.backbone.hornet.HorNetConfig;
import io.vertebra.backbone.swin.SwinConfig;
import io.vertebra.backbone.swin.SwinConfig.Behaviour;
import io.vertebra.backbone.uniformer.UniFormerConfig;
import io.vertebra.backbone.uniformer.UniFormerConfig.Kind;
import io.vertebra.backend.Backend;
import io.vertebra.backend.Program;
import io.vertebra.cpu.CpuBackend;
import io.vertebra.program.Recording;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.tensor.Compare;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.FormulaWeights;
import io.vertebra.weights.Json;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiPredicate;
import java.util.function.Function;
import java.util.function.IntPredicate;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Small models of every family at sizes they were not built for: what the published model accepts gives on the cpu what
 * it gives in double precision, what it refuses is refused by name.
 */
class InputSizesTest {
  private static final int[][] SIZES = {{32, 32}, {32, 64}, {31, 40}, {33, 47}, {64, 96}, {63, 64}, {100, 100},
    {512, 32}, {128, 128}, {128, 256}, {224, 160}};
  private static final int[][] LARGE = {{1024, 1024}, {1000, 700}};
  private static final double TOLERANCE = 1e-5;

  /** @param accepts whether the published model takes an input of a height and a width */
  record Case(String name, Function<Backend, Backbone> load, BiPredicate<Integer, Integer> accepts) {
    static Case of(String name, Architecture architecture, IntPredicate accepts) {
      return new Case(name, backend -> architecture.load(new FormulaWeights(), backend),
          (height, width) -> accepts.test(height) && accepts.test(width));
    }

    /** Swin's dense pass has the rules of the dense backbone, which takes any size. */
    boolean takes(Shape input, boolean dense) {
      return dense && name.startsWith("swin") || accepts.test(input.dim(1), input.dim(2));
    }

    @Override
    public String toString() {
      return name;
    }
  }

  static Stream<Case> cases() {
    Architecture gf = hornet(true);
    Map<String, Object> neck = Map.of("in_channels", List.of(8, 16, 32, 64), "out_channels", 8, "num_outs", 5,
        "gn_conv_cfg", Map.of("type", "gngf", "h", 4, "proj_out", true));
    return Stream.of(
        new Case("swin official", backend -> swin(Behaviour.OFFICIAL).load(new FormulaWeights(), backend),
            InputSizesTest::tiled),
        Case.of("swin timm", swin(Behaviour.TIMM), side -> side % 4 == 0),
        Case.of("swin dense", swin(Behaviour.DENSE), side -> true),
        Case.of("coatnet table", coatnet("dw", "avg2", "bias"), side -> (side + 1) / 2 % 16 == 0),
        Case.of("coatnet network", coatnet("pool", "max", "mlp"), side -> (side + 1) / 2 % 4 == 0),
        Case.of("uniformer", uniformer(Kind.IMAGE), side -> side >= 32),
        Case.of("uniformer convolutional stem", uniformer(Kind.TOKEN_LABELING, "conv_stem", true), side -> true),
        Case.of("uniformer hybrid", uniformer(Kind.DENSE, "hybrid", true), side -> side >= 32),
        Case.of("uniformer windows", uniformer(Kind.DENSE, "windows", true, "window_size", 5), side -> side >= 32),
        Case.of("uniformer light", uniformer(Kind.LIGHT, "conv_stem", true, "prune_ratio", RATIOS, "trade_off", RATIOS),
            side -> side >= 31),
        Case.of("hornet 7x7", hornet(false), side -> side >= 32),
        Case.of("hornet global filter", gf, side -> side >= 32),
        new Case("hornet and horfpn",
            backend -> HorFpnConfig.of(neck).load(new FormulaWeights(), backend)
                .over(gf.load(new FormulaWeights(), backend)),
            (height, width) -> Math.min(height, width) >= 32),
        Case.of("conformer", conformer(), side -> (side + 3) / 4 % 4 == 0),
        Case.of("conformer padded", conformer().withPadding(), side -> true));
  }

  private static final List<List<Double>> RATIOS = List.of(List.of(), List.of(), List.of(1.0, 0.5), List.of(0.5));

  private static SwinConfig swin(Behaviour behaviour) {
    SwinConfig config = SwinConfig.of(
        Map.of("embed_dim", 8, "depths", List.of(1, 2, 2, 1), "num_heads", List.of(1, 2, 2, 4), "window_size", 4),
        Behaviour.OFFICIAL);
    return config.withClasses(behaviour == Behaviour.DENSE ? 0 : 5).withBehaviour(behaviour);
  }

  private static CoAtNetConfig coatnet(String stride, String pool, String bias) {
    return CoAtNetConfig.of(Json.parseObject("""
        {"embed_dim": [8, 8, 16, 16], "depths": [1, 1, 2, 1], "stem_width": [4, 8], "num_classes": 5, "img_size": 64,
         "conv_cfg": {"expand_output": false, "stride_mode": "%s", "pool_type": "%s"},
         "transformer_cfg": {"dim_head": 8, "expand_first": false, "pool_type": "%s", "rel_pos_type": "%s",
         "rel_pos_dim": 6}}""".formatted(stride, pool, pool, bias)));
  }

  private static UniFormerConfig uniformer(Kind kind, Object... options) {
    Map<String, Object> arguments
        = new HashMap<>(Map.of("depth", List.of(1, 1, 2, 1), "embed_dim", List.of(8, 16, 24, 32), "head_dim", 8));
    if (kind != Kind.DENSE) {
      arguments.put("num_classes", 5);
    }
    for (int i = 0; i < options.length; i += 2) {
      arguments.put((String) options[i], options[i + 1]);
    }
    return UniFormerConfig.of(arguments, kind);
  }

  private static HorNetConfig hornet(boolean globalFilter) {
    Map<String, Object> late
        = globalFilter ? Map.of("order", 3, "s", 0.5, "filter", "gf", "h", 4, "w", 3) : Map.of("order", 4);
    return HorNetConfig.of(Map.of("base_dim", 8, "depths", List.of(1, 1, 1, 1), "num_classes", 5, "gnconv",
        List.of(Map.of("order", 2), Map.of("order", 3), late, late)), false);
  }

  private static ConformerConfig conformer() {
    return ConformerConfig
        .of(Map.of("channel_ratio", 0.25, "embed_dim", 24, "depth", 12, "num_heads", 2, "num_classes", 5), false);
  }

  /**
   * Whether windows of 4 x 4, or of the shorter side if that is no longer, tile the map of every stage, of which all
   * but the last are even.
   */
  private static boolean tiled(int height, int width) {
    for (int stage = 0; stage < 4; stage++) {
      int rows = height / 4 >> stage;
      int columns = width / 4 >> stage;
      int window = Math.min(4, Math.min(rows, columns));
      boolean halves = stage == 3 || rows % 2 == 0 && columns % 2 == 0;
      if (window == 0 || rows % window != 0 || columns % window != 0 || !halves) {
        return false;
      }
    }
    return true;
  }

  @ParameterizedTest
  @MethodSource("cases")
  void acceptedSizesGiveWhatTheReferenceGivesAndOthersAreRefused(Case model) {
    try (Backend cpu = new CpuBackend(2); Backend reference = new ReferenceBackend()) {
      Backbone fast = model.load.apply(cpu);
      Backbone exact = model.load.apply(reference);
      for (int[] size : SIZES) {
        for (boolean dense : passes(fast)) {
          Shape input = Shape.of(2, size[0], size[1], 3);
          if (model.takes(input, dense)) {
            Map<String, double[]> expected = run(reference, exact, input, dense);
            Map<String, double[]> actual = run(cpu, fast, input, dense);
            expected.forEach((name, values) -> assertThat(Compare.relativeError(actual.get(name), values))
                .as("%s of %s", name, input).isLessThan(TOLERANCE));
          } else {
            assertThatThrownBy(() -> record(fast, input, dense)).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("input of " + size[0] + "x" + size[1])
                .hasMessageMatching(".*([Rr]esize|[Tt]ake).*");
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void largeInputsRun(Case model) {
    try (Backend cpu = new CpuBackend(2)) {
      Backbone backbone = model.load.apply(cpu);
      for (int[] size : LARGE) {
        for (boolean dense : passes(backbone)) {
          Shape input = Shape.of(1, size[0], size[1], 3);
          if (model.takes(input, dense)) {
            run(cpu, backbone, input, dense)
                .forEach((name, values) -> assertThat(values).as("%s of %s", name, input).doesNotContain(Double.NaN));
          }
        }
      }
    }
  }

  /** The largest maps of these alone take 84 to 134 MB, two at a time. */
  @ParameterizedTest
  @ValueSource(strings = {"swin_tiny_patch4_window7_224", "hornet_tiny_7x7", "hornet_tiny_gf", "Conformer_tiny_patch16",
    "uniformer_small", "uniformer_small_plus", "uniformer_dense_small_h14", "uniformer_xxs_224", "coatnet_nano_rw_224"})
  void publishedModelsTakeLargeInputsInLittleMemory(String variant) {
    try (Backend cpu = new CpuBackend(1)) {
      Backbone backbone = Families.named(variant).architecture().load(new FormulaWeights(), cpu);
      try (Program program = cpu.compile(record(backbone, Shape.of(1, 1024, 1024, 3), true))) {
        assertThat(program.workspaceBytes()).isLessThan(176L << 20);
      }
    }
  }

  /** Whether the dense pass is recorded, for those there are. */
  private static boolean[] passes(Backbone backbone) {
    return backbone.embeddingWidth() > 0 ? new boolean[] {false, true} : new boolean[] {true};
  }

  private static Recording record(Backbone backbone, Shape input, boolean dense) {
    return dense ? Recording.of(input, Set.copyOf(backbone.featureNames()), backbone::features)
        : Recording.of(input, Set.of(Backbone.LOGITS), backbone::forward);
  }

  private static Map<String, double[]> run(Backend backend, Backbone backbone, Shape input, boolean dense) {
    try (Program program = backend.compile(record(backbone, input, dense))) {
      program.input().put(FormulaWeights.input("sizes", input));
      program.run();
      Map<String, double[]> outputs = new LinkedHashMap<>();
      program.recording().outputs().forEach((name, tensor) -> {
        float[] values = program.read(tensor);
        double[] widened = new double[values.length];
        for (int i = 0; i < values.length; i++) {
          widened[i] = values[i];
        }
        outputs.put(name, widened);
      });
      return outputs;
    }
  }
}
