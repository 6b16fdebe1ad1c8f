package io.vertebra.golden;

import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Neck;
import io.vertebra.backbone.NeckArchitecture;
import io.vertebra.backbone.TableResize;
import io.vertebra.backbone.hornet.GlobalLocalFilter;
import io.vertebra.backbone.hornet.GnConv;
import io.vertebra.backbone.hornet.HorFpnConfig;
import io.vertebra.backbone.hornet.HorNetConfig;
import io.vertebra.backbone.hornet.UperHeadConfig;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.RowMap;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Size;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.Json;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.Parameters;
import io.vertebra.weights.WeightsException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/** HorNets, their necks, and their two building blocks. */
record HorNetGolden(Loader loader, Tensors tensors) implements GoldenModel {

  private interface Loader {
    Consumer<Recorder> load(ParameterSource formula, Backend backend);
  }

  private interface Tensors {
    Tensor get(Unfused model, String name);
  }

  static Optional<GoldenModel> of(Metadata metadata) {
    return Optional.ofNullable(switch (String.valueOf(metadata.get("model"))) {
      case "hornet" -> backbone(HorNetConfig.of(config(metadata), false));
      case "hornet_dense" -> backbone(HorNetConfig.of(config(metadata), true));
      case "horfpn" -> neck(HorFpnConfig.of(config(metadata)));
      case "horuper" -> neck(UperHeadConfig.of(config(metadata)));
      case "op.gnconv" -> gnConv(metadata, config(metadata));
      case "op.global_local_filter" -> globalLocalFilter(metadata, config(metadata));
      default -> null;
    });
  }

  private static Map<String, Object> config(Metadata metadata) {
    return Json.parseObject(metadata.required("config"));
  }

  private static HorNetGolden backbone(HorNetConfig config) {
    return new HorNetGolden((formula, backend) -> config.load(formula, backend)::forward, (model, name) -> {
      if (name.equals("stem")) {
        return model.out("downsample_layers.0.1");
      }
      if (!name.startsWith("gnconv")) {
        return model.named(name);
      }
      String last = model.last("stages." + name.substring("gnconv".length())).name();
      String block = last.substring(0, last.lastIndexOf('.'));
      Tensor product = model.product(block + ".gnconv.proj_out");
      return config.layerScale()
          ? model.before(model.parameters.values(block + ".gamma1", product.shape().channels()), product)
          : product;
    });
  }

  private static HorNetGolden neck(NeckArchitecture architecture) {
    return new HorNetGolden((formula, backend) -> {
      Neck neck = architecture.load(formula, backend);
      return r -> neck.forward(r, r.inputs());
    }, (model, name) -> switch (name) {
      case "psp" -> model.named("bottleneck");
      case "feats" -> model.named("fpn_bottleneck");
      default -> model.out(name.replace("lateral", "lateral_convs."));
    });
  }

  private static HorNetGolden gnConv(Metadata metadata, Map<String, Object> config) {
    Size filter = config.get("gf") instanceof List<?> size && size.size() == 2
        ? new Size(integer(metadata, size.get(0)), integer(metadata, size.get(1)))
        : null;
    double scale = config.get("scale") instanceof Number number ? number.doubleValue() : 1;
    GnConv.Config shape
        = GnConv.Config.of(integer(metadata, config.get("dim")), integer(metadata, config.get("order")), filter, scale);
    return new HorNetGolden((formula, backend) -> {
      GnConv gnconv
          = new GnConv(new Layers(new Parameters(formula), backend), "", shape, null, projection -> projection);
      return r -> r.record("proj_out", gnconv.projOut(), gnconv.gate(r, List.of(r.input())));
    }, (model, name) -> switch (name) {
      case "out" -> model.out("proj_out");
      case "proj_in" -> projected(model, filter != null);
      case "dwconv" -> {
        Tensor spatial = model.named("dwconv");
        float[] factors = new float[spatial.shape().channels()];
        Arrays.fill(factors, (float) scale);
        int[] widths = new int[shape.order()];
        Arrays.setAll(widths, k -> shape.dim() >> shape.order() - 1 - k);
        yield model.before(factors, filter == null ? spatial : published(model, spatial, widths));
      }
      case "state0" -> published(model, model.out("proj_in.p"), filter != null);
      default -> published(model,
          model.out("pws." + (integer(metadata, Json.parse(name.replaceFirst("^state", ""))) - 1)), filter != null);
    });
  }

  /** The published projection's output: p, then q. */
  private static Tensor projected(Unfused model, boolean interleaved) {
    Tensor p = published(model, model.product("proj_in.p"), interleaved);
    Tensor q = model.out("proj_in.q");
    int first = p.shape().channels();
    int all = first + q.shape().channels();
    int[] fromP = new int[all];
    int[] fromQ = new int[all];
    Arrays.setAll(fromP, channel -> channel < first ? channel : -1);
    Arrays.setAll(fromQ, channel -> channel < first ? -1 : channel - first);
    return model.channels(q, fromQ, model.channels(p, fromP, null));
  }

  /** A tensor in the published order of channels, which a global and local filter changes. */
  private static Tensor published(Unfused model, Tensor x, boolean interleaved) {
    return interleaved ? published(model, x, new int[] {x.shape().channels()}) : x;
  }

  private static Tensor published(Unfused model, Tensor x, int[] segments) {
    int[] places = new int[x.shape().channels()];
    int first = 0;
    for (int length : segments) {
      int[] inSegment = GlobalLocalFilter.places(length);
      for (int i = 0; i < length; i++) {
        places[first + i] = first + inSegment[i];
      }
      first += length;
    }
    return model.channels(x, places, null);
  }

  private static HorNetGolden globalLocalFilter(Metadata metadata, Map<String, Object> config) {
    int channels = integer(metadata, config.get("dim"));
    Size stored = new Size(integer(metadata, config.get("h")), integer(metadata, config.get("w")));
    return new HorNetGolden((formula, backend) -> {
      GlobalLocalFilter filter
          = new GlobalLocalFilter(new Layers(new Parameters(formula), backend), "", new int[] {channels}, stored, 1);
      return r -> filter.forward(r, r.input());
    }, (model, name) -> switch (name) {
      case "local" -> model.out("dw");
      case "global" -> model.out("filter");
      case "interleaved" -> model.channels(model.out("filter"), everySecond(channels, 1),
          model.channels(model.out("dw"), everySecond(channels, 0), null));
      case "filter" -> {
        Shape map = model.out("filter").shape();
        float[] weights = model.parameters.values("complex_weight", channels / 2, stored.rows(), stored.columns(), 2);
        yield model.constant(GlobalLocalFilter.published(
            TableResize.alignedBilinear(GlobalLocalFilter.spectrum(weights, stored), map.dim(1), map.dim(2) / 2 + 1)));
      }
      case "spectrum" -> spectrum(model, model.out("pre_norm"));
      case "out" -> published(model, model.out("post_norm"), true);
      default -> model.out(name);
    });
  }

  /** For the published channels of one half their places, for the others -1. */
  private static int[] everySecond(int channels, int half) {
    int[] places = new int[channels];
    Arrays.setAll(places, channel -> channel % 2 == half ? channel / 2 : -1);
    return places;
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
  private static Tensor spectrum(Unfused model, Tensor map) {
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
    Linear product = model.matrix(Shape.of(height * columns * 2, area), transform);
    return model.record(product.gather(new RowMap(values, area)), map);
  }

  @Override
  public Consumer<Recorder> load(ParameterSource formula, Backend backend) {
    return loader.load(formula, backend);
  }

  @Override
  public Tensor tensor(Unfused model, String name) {
    return tensors.get(model, name);
  }

  @Override
  public boolean channelsFirst(String tensor) {
    return !tensor.equals("spectrum");
  }
}
