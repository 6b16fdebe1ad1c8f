package io.vertebra.backbone.hornet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.Device;
import io.vertebra.FeatureMap;
import io.vertebra.Model;
import io.vertebra.Session;
import io.vertebra.TinyModels;
import io.vertebra.backbone.Manifest;
import io.vertebra.backbone.Neck;
import io.vertebra.backbone.NeckArchitecture;
import io.vertebra.backend.Backend;
import io.vertebra.backend.Program;
import io.vertebra.image.Image;
import io.vertebra.program.Recording;
import io.vertebra.program.op.RowMap;
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
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class NeckTest {
  private static final List<Integer> CHANNELS = List.of(96, 192, 384, 768);

  static List<Supplier<Model.Builder>> backbones() {
    return List.of(TinyModels::swin, TinyModels::hornet);
  }

  private static NeckArchitecture architecture(String name) {
    boolean globalFilter = name.endsWith("gf");
    return name.startsWith("horfpn") ? HorFpnConfig.published(CHANNELS, globalFilter)
        : UperHeadConfig.published(CHANNELS, globalFilter);
  }

  /** Loading reports whatever is missing, unexpected or misshapen. */
  @ParameterizedTest
  @CsvSource({"horfpn_7x7, 1368064", "horfpn_gf, 2139904", "horuper_7x7, 24590998", "horuper_gf, 24976918"})
  void parametersAreThoseOfTheManifestAloneOrInAWholeModel(String name, long count) throws IOException {
    Map<String, Shape> all = Manifest.all(name + ".json");
    assertThat(Manifest.parameters(name + ".json").values().stream().mapToLong(Shape::elements).sum()).isEqualTo(count);
    Map<String, Shape> whole = new LinkedHashMap<>();
    whole.put("module.backbone.norm0.weight", Shape.of(96));
    whole.put("module.auxiliary_head.conv_seg.weight", Shape.of(150, 256, 1, 1));
    all.forEach((parameter, shape) -> whole
        .put("module." + (name.startsWith("horfpn") ? "neck." : "decode_head.") + parameter, shape));
    Map<String, Shape> damaged = new LinkedHashMap<>(all);
    damaged.put("fpn_convs.0.extra", Shape.of(1));
    try (Backend backend = new ReferenceBackend()) {
      assertThat(architecture(name).load(MemorySource.formula(all), backend)).isNotNull();
      assertThat(architecture(name).load(MemorySource.formula(whole), backend)).isNotNull();
      assertThatThrownBy(() -> architecture(name).load(MemorySource.formula(damaged), backend))
          .isInstanceOf(WeightsException.class).hasMessageContaining("fpn_convs.0.extra");
    }
  }

  /** A model with a neck gives what the neck makes of the model's maps. */
  @ParameterizedTest
  @MethodSource("backbones")
  void necksStandBehindAnyBackbone(Supplier<Model.Builder> backbone) {
    Image image = TinyModels.image(0);
    List<FeatureMap> maps = features(backbone.get(), image);
    List<Integer> channels = maps.stream().map(FeatureMap::channels).toList();
    Map<String, Object> module = Map.of("type", "gngf", "h", 4, "proj_out", true);
    List<NeckArchitecture> necks = List.of(
        HorFpnConfig.of(
            Map.of("in_channels", channels, "out_channels", 16, "num_outs", maps.size() + 1, "gn_conv_cfg", module)),
        UperHeadConfig.of(Map.of("in_channels", channels, "channels", 16, "num_classes", 7, "conv_cfg", module)));
    for (NeckArchitecture architecture : necks) {
      List<FeatureMap> made = features(backbone.get().neck(architecture, new FormulaWeights()), image);
      try (Backend backend = new ReferenceBackend()) {
        Neck neck = architecture.load(new FormulaWeights(), backend);
        List<Shape> shapes = maps.stream().map(map -> Shape.of(1, map.height(), map.width(), map.channels())).toList();
        Recording recording = Recording.of(shapes, Set.copyOf(neck.outputNames()), r -> neck.forward(r, r.inputs()));
        try (Program program = backend.compile(recording)) {
          IntStream.range(0, maps.size()).forEach(i -> program.input(i).put(maps.get(i).values()));
          program.run();
          assertThat(made).extracting(FeatureMap::name).containsExactlyElementsOf(neck.outputNames());
          for (FeatureMap map : made) {
            float[] expected = program.read(map.name());
            double error = IntStream.range(0, expected.length).mapToDouble(i -> Math.abs(expected[i] - map.values()[i]))
                .max().orElseThrow();
            assertThat(error).isLessThan(1e-5);
            assertThat(map.height()).isEqualTo(Math.max(1, 32 / map.stride()));
          }
        }
      }
    }
  }

  private static List<FeatureMap> features(Model.Builder builder, Image image) {
    try (Model model = builder.device(Device.REFERENCE).build(); Session session = model.newSession()) {
      return session.features(List.of(image));
    }
  }

  @Test
  void aNeckForOtherChannelsIsRefused() {
    try (
        Model model = TinyModels.swin().device(Device.REFERENCE)
            .neck(HorFpnConfig.published(CHANNELS, false), new FormulaWeights()).build();
        Session session = model.newSession()) {
      assertThatThrownBy(() -> session.features(List.of(TinyModels.image(0))))
          .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("HorFPN")
          .hasMessageContaining("[96, 192, 384, 768]");
    }
  }

  @Test
  void nearestRowsFollowTheSinglePrecisionRule() {
    for (int size = 1; size <= 300; size++) {
      assertThat(indices(size, 2 * size)).isEqualTo(IntStream.range(0, 2 * size).map(i -> i / 2).toArray());
      if (size > 1) {
        int from = size;
        assertThat(indices(size, 2 * size - 1))
            .isEqualTo(IntStream.range(0, 2 * size - 1).map(i -> i * from / (2 * from - 1)).toArray());
      }
    }
    // 41 * (2 / 82) is 1, but a little less in single precision.
    int[] rounded = indices(2, 82);
    assertThat(IntStream.range(0, 82).filter(i -> rounded[i] != i * 2 / 82).boxed().toList()).containsExactly(41);
  }

  private static int[] indices(int from, int to) {
    RowMap rows = HorFpn.nearest(Shape.of(2, from, 1, 1), Shape.of(2, to, 1, 1));
    assertThat(rows.row(to)).isEqualTo(from);
    return IntStream.range(0, to).map(rows::row).toArray();
  }

  @Test
  void configurationsThatCannotBeAreRefused() {
    Map<String, Object> fine
        = Map.of("in_channels", List.of(8, 16), "out_channels", 8, "num_outs", 3, "gn_conv_cfg", Map.of("order", 2));
    assertThat(HorFpnConfig.of(fine).levels()).isEqualTo(2);
    for (Map<String, Object> wrong : List.<Map<String, Object>>of(Map.of("num_outs", 1), Map.of("start_level", 2),
        Map.of("add_extra_convs", true), Map.of("end_level", 1), Map.of("norm_cfg", Map.of("type", "GN")),
        Map.of("act_cfg", "ReLU"), Map.of("out_channels", 7), Map.of("gn_conv_cfg", Map.of("type", "conv")),
        Map.of("gn_conv_cfg", Map.of("kernel_size", 4)), Map.of("unknown", 1),
        Map.of("gn_conv_cfg", Map.of("dim_ratio", 2)))) {
      Map<String, Object> arguments = new LinkedHashMap<>(fine);
      arguments.putAll(wrong);
      assertThatThrownBy(() -> HorFpnConfig.of(arguments), "%s", wrong).isInstanceOf(WeightsException.class);
    }
    for (Map<String, Object> wrong : List.<Map<String, Object>>of(Map.of("in_channels", List.of(8)),
        Map.of("pool_scales", List.of(0)), Map.of("num_classes", 0), Map.of("align_corners", true),
        Map.of("unknown", 1))) {
      Map<String, Object> arguments = new LinkedHashMap<>(Map.of("in_channels", List.of(8, 16), "channels", 8));
      arguments.putAll(wrong);
      assertThatThrownBy(() -> UperHeadConfig.of(arguments), "%s", wrong).isInstanceOf(WeightsException.class);
    }
  }
}
