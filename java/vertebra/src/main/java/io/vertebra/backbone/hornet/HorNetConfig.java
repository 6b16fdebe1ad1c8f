package io.vertebra.backbone.hornet;

import io.vertebra.backbone.Architecture;
import io.vertebra.backbone.Arguments;
import io.vertebra.backend.Backend;
import io.vertebra.image.Preprocessing;
import io.vertebra.tensor.Size;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.Parameters;
import io.vertebra.weights.WeightsException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A HorNet without weights. Immutable.
 *
 * @param channels of the input image
 * @param width channels of stage 0; they double from stage to stage
 * @param depths blocks by stage
 * @param spatial how each stage mixes positions
 * @param layerScale whether blocks scale their branches by learned factors
 * @param classes 0 without a classifier
 * @param dense whether it is a dense backbone, with a norm for every stage and no final one
 * @param featureStages stages whose outputs the dense backbone gives
 */
public record HorNetConfig(int channels, int width, List<Integer> depths, List<Spatial> spatial, boolean layerScale,
    int classes, boolean dense, List<Integer> featureStages) implements Architecture {
  static final int PATCH = 4;
  /** The scale of all published models; parameters do not tell it. */
  static final double SCALE = 1.0 / 3;

  /** Constructor arguments that do nothing at inference. */
  private static final List<String> TRAINING
      = List.of("drop_path_rate", "layer_scale_init_value", "head_init_scale", "uniform_init");

  /**
   * A stage's gated convolution.
   *
   * @param filter height and half-spectrum width of its stored global filter; empty: a 7x7 depthwise convolution
   */
  public record Spatial(int order, double scale, Optional<Size> filter) {}

  @Override
  public String family() {
    return "hornet";
  }

  /** The size the filters are stored for; 224 if there are none. */
  @Override
  public Size image() {
    return Size.square(IntStream.range(0, stages()).boxed()
        .flatMap(stage -> spatial.get(stage).filter().map(filter -> filter.rows() * stride(stage)).stream()).findFirst()
        .orElse(224));
  }

  @Override
  public Preprocessing preprocessing() {
    int size = image().rows();
    return size < 384 ? Preprocessing.centerCrop((int) (size / 0.875), size) : Preprocessing.squash(size);
  }

  @Override
  public HorNetConfig adaptTo(ParameterSource source) {
    return HorNetCheckpoint.adapt(this, source);
  }

  @Override
  public HorNet load(ParameterSource source, Backend backend) {
    return new HorNet(this, new Parameters(HorNetCheckpoint.naming(source)), backend);
  }

  public int stages() {
    return depths.size();
  }

  /** Channels of a stage. */
  int width(int stage) {
    return width << stage;
  }

  /** Input pixels per position of a stage. */
  int stride(int stage) {
    return PATCH << stage;
  }

  GnConv.Config gnConv(int stage) {
    Spatial mixing = spatial.get(stage);
    return GnConv.Config.of(width(stage), mixing.order(), mixing.filter().orElse(null), mixing.scale());
  }

  /** The same model with what a checkpoint tells. */
  HorNetConfig with(boolean scaled, int otherClasses, boolean otherDense) {
    return new HorNetConfig(channels, width, depths, spatial, scaled, otherClasses, otherDense, featureStages);
  }

  /** A published classifier: blocks 2, 3, 18, 2 of order 2, 3, 4, 5; filters in the last two stages. */
  static HorNetConfig published(int width, List<Optional<Size>> filters, int classes) {
    List<Spatial> spatial
        = IntStream.range(0, 4).mapToObj(stage -> new Spatial(stage + 2, SCALE, filters.get(stage))).toList();
    return new HorNetConfig(3, width, List.of(2, 3, 18, 2), spatial, true, classes, false, List.of(0, 1, 2, 3));
  }

  /**
   * Reads a configuration: {@code in_chans, num_classes, base_dim, depths, layer_scale, out_indices}, and stage by
   * stage either {@code orders}, {@code gf} (null or {@code [h, w]}) and one {@code scale}, or {@code gnconv}, a list
   * of objects with {@code order}, {@code s} (a number or a fraction such as {@code "1/3"}), {@code filter}
   * ({@code dw7x7} or {@code gf}), {@code h} and {@code w}.
   *
   * @throws WeightsException if an argument is missing, of a wrong type, or unknown
   */
  public static HorNetConfig of(Map<String, ?> arguments, boolean dense) {
    Arguments args = new Arguments("HorNet configuration", arguments);
    List<Integer> depths = args.depths("depths");
    List<Integer> stages = IntStream.range(0, depths.size()).boxed().toList();
    List<Spatial> spatial = arguments.containsKey("gnconv") ? stageByStage(args) : uniform(args, depths.size());
    int classes = args.classes(1000);
    HorNetConfig config = new HorNetConfig(args.integer("in_chans", 3), args.integer("base_dim", 96), depths, spatial,
        args.flag("layer_scale", true), dense ? 0 : classes, dense, args.integers("out_indices", stages));
    args.ignore(TRAINING);
    args.finish();
    config.check(args);
    return config;
  }

  private static List<Spatial> uniform(Arguments args, int stages) {
    List<Integer> orders = args.integers("orders", Collections.nCopies(stages, 5));
    double scale = args.number("scale", 1);
    Object filters = args.get("gf", Collections.nCopies(stages, null));
    List<?> list = filters instanceof List<?> given ? given : List.of();
    args.require(list.size() == stages && orders.size() == stages,
        "orders and gf must have an entry for each of " + stages + " stages");
    return IntStream.range(0, stages)
        .mapToObj(stage -> new Spatial(orders.get(stage), scale, size(args, list.get(stage)))).toList();
  }

  private static Optional<Size> size(Arguments args, Object value) {
    args.require(value == null || value instanceof List, value + " is not the size [h, w] of a filter");
    return Optional.ofNullable(value).map(pair -> args.size("gf", pair));
  }

  private static List<Spatial> stageByStage(Arguments args) {
    List<Spatial> spatial = new ArrayList<>();
    for (Object entry : args.get("gnconv", null) instanceof List<?> list ? list : List.of()) {
      Arguments of = args.nested("gnconv", entry);
      Optional<Size> filter = of.choice("filter", "dw7x7", "gf") == 0 ? Optional.empty()
          : Optional.of(new Size(of.integer("h", 14), of.integer("w", 8)));
      spatial.add(new Spatial(of.integer("order", 5), fraction(of.get("s", 1)), filter));
      of.finish();
    }
    return List.copyOf(spatial);
  }

  private static double fraction(Object value) {
    if (value instanceof Number number) {
      return number.doubleValue();
    }
    try {
      String[] parts = String.valueOf(value).split("/", 2);
      return parts.length == 1 ? Double.parseDouble(parts[0])
          : Double.parseDouble(parts[0]) / Double.parseDouble(parts[1]);
    } catch (NumberFormatException e) {
      throw new WeightsException("HorNet configuration: s must be a number or a fraction, not " + value, e);
    }
  }

  private void check(Arguments args) {
    int stages = stages();
    boolean positive = channels > 0 && width > 0 && width <= 1 << 14 && classes >= 0 && stages > 0 && stages <= 8
        && depths.stream().allMatch(depth -> depth > 0)
        && featureStages.stream().allMatch(stage -> stage >= 0 && stage < stages);
    boolean scaled = spatial.stream().allMatch(stage -> Double.isFinite(stage.scale()) && stage.scale() != 0);
    args.require(positive && scaled && spatial.size() == stages,
        "sizes must be positive, and every stage needs a depth and a gnconv: ", this);
    for (int stage = 0; stage < stages; stage++) {
      gnConv(stage);
    }
  }
}
