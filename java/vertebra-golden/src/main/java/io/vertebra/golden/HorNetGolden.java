package io.vertebra.golden;

import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Neck;
import io.vertebra.backbone.NeckArchitecture;
import io.vertebra.backbone.hornet.GlobalLocalFilter;
import io.vertebra.backbone.hornet.GnConv;
import io.vertebra.backbone.hornet.HorFpnConfig;
import io.vertebra.backbone.hornet.HorNetConfig;
import io.vertebra.backbone.hornet.UperHeadConfig;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Epilogue;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.RowSource;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Size;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.Json;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.Parameters;
import io.vertebra.weights.WeightsException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/** HorNets, their necks, and their two building blocks. */
record HorNetGolden(Loader loader) implements GoldenModel {

  private interface Loader {
    Consumer<Recorder> load(ParameterSource formula, Backend backend);
  }

  static Optional<GoldenModel> of(Metadata metadata) {
    Loader loader = switch (String.valueOf(metadata.get("model"))) {
      case "hornet" -> backbone(HorNetConfig.of(config(metadata), false));
      case "hornet_dense" -> backbone(HorNetConfig.of(config(metadata), true));
      case "horfpn" -> neck(HorFpnConfig.of(config(metadata)));
      case "horuper" -> neck(UperHeadConfig.of(config(metadata)));
      case "op.gnconv" -> gnConv(metadata, config(metadata));
      case "op.global_local_filter" -> globalLocalFilter(metadata, config(metadata));
      default -> null;
    };
    return Optional.ofNullable(loader).map(HorNetGolden::new);
  }

  private static Map<String, Object> config(Metadata metadata) {
    return Json.parseObject(metadata.required("config"));
  }

  private static Loader backbone(HorNetConfig config) {
    return (formula, backend) -> config.load(formula, backend)::forward;
  }

  private static Loader neck(NeckArchitecture architecture) {
    return (formula, backend) -> {
      Neck neck = architecture.load(formula, backend);
      return r -> neck.forward(r, r.inputs());
    };
  }

  private static Loader gnConv(Metadata metadata, Map<String, Object> config) {
    Size filter = config.get("gf") instanceof List<?> size
        ? new Size(integer(metadata, size.get(0)), integer(metadata, size.get(1)))
        : null;
    double scale = config.get("scale") instanceof Number number ? number.doubleValue() : 1;
    GnConv.Config shape
        = GnConv.Config.of(integer(metadata, config.get("dim")), integer(metadata, config.get("order")), filter, scale);
    return (formula, backend) -> {
      GnConv gnconv = new GnConv(new Layers(new Parameters(formula), backend), "", shape, projection -> projection);
      return r -> {
        Tensor gated = gnconv.gate(r, List.of(r.input()), RowSource.PLAIN);
        r.output("out", r.record("proj_out",
            new Linear(RowSource.PLAIN, gnconv.projOut().weights(), gnconv.projOut().epilogue()), gated));
      };
    };
  }

  private static Loader globalLocalFilter(Metadata metadata, Map<String, Object> config) {
    int channels = integer(metadata, config.get("dim"));
    Size stored = new Size(integer(metadata, config.get("h")), integer(metadata, config.get("w")));
    return (formula, backend) -> {
      GlobalLocalFilter filter
          = new GlobalLocalFilter(new Layers(new Parameters(formula), backend), "", new int[] {channels}, stored, 1);
      return r -> {
        r.output("out", filter.published(r, filter.forward(r, r.input())));
        r.output("spectrum", () -> spectrum(r, backend,
            r.outputsOf(List.of("pre_norm"), part -> filter.forward(part, r.input())).get(0)));
      };
    };
  }

  private static int integer(Metadata metadata, Object value) {
    if (value instanceof Integer integer && integer > 0) {
      return integer;
    }
    throw new WeightsException(
        metadata.file() + ": the configuration says " + value + " where it should have a positive number");
  }

  /**
   * The orthonormal discrete Fourier transform of the last half of a map's channels,
   * {@code [batch * channels / 2, height * (width / 2 + 1) * 2]}, as a product with its matrix.
   */
  private static Tensor spectrum(Recorder r, Backend backend, Tensor map) {
    int height = map.shape().dim(1);
    int width = map.shape().dim(2);
    int channels = map.shape().channels();
    int half = channels / 2;
    int area = height * width;
    int columns = width / 2 + 1;
    float[] transform = new float[height * columns * 2 * area];
    for (int i = 0; i < transform.length; i++) {
      int output = i / area;
      int u = output / 2 / columns;
      int v = output / 2 % columns;
      double angle = -2 * Math.PI * ((double) u * (i % area / width) / height + (double) v * (i % width) / width);
      transform[i] = (float) ((output % 2 == 0 ? Math.cos(angle) : Math.sin(angle)) / Math.sqrt(area));
    }
    int[] values = new int[map.shape().dim(0) * half * area];
    Arrays.setAll(values, i -> {
      int row = i / area;
      return (row / half * area + i % area) * channels + half + row % half;
    });
    Parameter matrix = Parameter.of("spectrum", Shape.of(height * columns * 2, area), transform);
    return r.record("spectrum",
        new Linear(new RowSource(new RowMap(values, area), null), backend.packMatrix(matrix), Epilogue.bias(null)),
        map);
  }

  @Override
  public Consumer<Recorder> load(ParameterSource formula, Backend backend) {
    return loader.load(formula, backend);
  }

  @Override
  public boolean channelsFirst(String tensor) {
    return !tensor.equals("spectrum");
  }
}
