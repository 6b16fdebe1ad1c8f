package io.vertebra.backbone.swin;

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

/**
 * What distinguishes one Swin Transformer from another.
 *
 * @param image the input size the model is built for
 * @param channels of the input image
 * @param windows a stage's window in tokens, before clipping to the map
 * @param headDim channels of a head; 0: the stage's channels / heads
 * @param qkScale multiplies q . k; 0: 1 / sqrt(headDim)
 * @param classes 0 without a classifier; then a dense backbone has no final norm either
 * @param alwaysPartition timm: windows are never clipped to the map
 * @param fixedWindows timm with {@code strict_img_size=False}: windows and shifts stay as built for {@code image},
 *   whatever the input
 * @param featureStages stages whose outputs the dense backbone gives
 */
public record SwinConfig(Behaviour behaviour, Size image, int patch, int channels, int width, List<Integer> depths,
    List<Integer> heads, List<Size> windows, int headDim, double mlpRatio, boolean qkvBias, double qkScale,
    boolean absolutePositions, boolean patchNorm, int classes, boolean alwaysPartition, boolean fixedWindows,
    List<Integer> featureStages) implements Architecture {

  /** Limits far beyond every published model, below which no size that follows from a configuration overflows. */
  private static final int MAX_PATCH = 1 << 8;
  private static final int MAX_WIDTH = 1 << 12;
  private static final int MAX_STAGES = 8;
  private static final int MAX_DEPTH = 1 << 8;
  private static final int MAX_HEADS = 1 << 12;
  private static final int MAX_WINDOW = 1 << 7;
  private static final int MAX_MLP_RATIO = 1 << 6;

  /** Constructor arguments that do nothing at inference. */
  private static final List<String> TRAINING = List.of("drop_rate", "attn_drop_rate", "proj_drop_rate",
      "drop_path_rate", "use_checkpoint", "fused_window_process", "frozen_stages");

  /**
   * The published implementations, which are one function at a model's own size and differ in windows, shifts and
   * padding elsewhere.
   */
  public enum Behaviour {
    /** microsoft/Swin-Transformer: every map must be divisible by its window. */
    OFFICIAL,
    /** The detection and segmentation backbone: any size, padded and then rolled; windows are never clipped. */
    DENSE,
    /** huggingface/pytorch-image-models: clipped by axis, rolled and then padded. */
    TIMM
  }

  @Override
  public String family() {
    return "swin";
  }

  @Override
  public Preprocessing preprocessing() {
    boolean large = Math.min(image.rows(), image.columns()) >= 384;
    if (behaviour == Behaviour.TIMM || image.rows() != image.columns()) {
      return Preprocessing.timm(image.rows(), image.columns(), large ? 1 : 0.9);
    }
    return large ? Preprocessing.squash(image.rows()) : Preprocessing.official(image.rows());
  }

  @Override
  public Swin load(ParameterSource source, Backend backend) {
    return new Swin(this, new Parameters(SwinCheckpoint.naming(source)), backend);
  }

  @Override
  public SwinConfig adaptTo(ParameterSource source) {
    return SwinCheckpoint.adapt(this, source);
  }

  public int stages() {
    return depths.size();
  }

  /** Channels of a stage. */
  int width(int stage) {
    return width << stage;
  }

  int headDim(int stage) {
    return headDim == 0 ? width(stage) / heads.get(stage) : headDim;
  }

  float scale(int stage) {
    return (float) (qkScale == 0 ? 1 / Math.sqrt(headDim(stage)) : qkScale);
  }

  /** Whether there is a norm over the last stage's tokens, and so an embedding. */
  boolean finalNorm() {
    return classes > 0 || behaviour != Behaviour.DENSE;
  }

  /** A stage's window on a map of a size. */
  public Size window(int stage, Size map) {
    Size window = windows.get(stage);
    return switch (behaviour) {
      case OFFICIAL -> {
        int shorter = Math.min(map.rows(), map.columns());
        yield shorter <= window.rows() ? Size.square(shorter) : window;
      }
      case DENSE -> window;
      case TIMM -> alwaysPartition ? window
          : new Size(Math.min(map.rows(), window.rows()), Math.min(map.columns(), window.columns()));
    };
  }

  /** The shift of odd blocks of a stage on a map of a size. */
  Size shift(int stage, Size map) {
    Size window = windows.get(stage);
    Size half = new Size(window.rows() / 2, window.columns() / 2);
    return switch (behaviour) {
      case OFFICIAL -> Math.min(map.rows(), map.columns()) <= window.rows() ? Size.square(0) : half;
      case DENSE -> half;
      case TIMM -> alwaysPartition ? half
          : new Size(map.rows() <= window.rows() ? 0 : half.rows(),
              map.columns() <= window.columns() ? 0 : half.columns());
    };
  }

  /** The map of a stage for an input of a size, as the references' constructors compute it. */
  Size builtMap(int stage, Size input) {
    return new Size(Math.max(1, input.rows() / patch >> stage), Math.max(1, input.columns() / patch >> stage));
  }

  /** The same model with other rules for sizes. */
  public SwinConfig withBehaviour(Behaviour other) {
    return new SwinConfig(other, image, patch, channels, width, depths, heads, windows, headDim, mlpRatio, qkvBias,
        qkScale, absolutePositions, patchNorm, classes, alwaysPartition, fixedWindows, featureStages);
  }

  public SwinConfig withClasses(int other) {
    return new SwinConfig(behaviour, image, patch, channels, width, depths, heads, windows, headDim, mlpRatio, qkvBias,
        qkScale, absolutePositions, patchNorm, other, alwaysPartition, fixedWindows, featureStages);
  }

  /** A published configuration: patch 4, MLP ratio 4, biases everywhere, square input and windows. */
  static SwinConfig published(int image, int width, List<Integer> depths, List<Integer> heads, List<Integer> windows,
      Behaviour behaviour) {
    return of(Map.of("img_size", image, "embed_dim", width, "depths", depths, "num_heads", heads, "window_size",
        windows.size() == 1 ? windows.get(0) : windows), behaviour);
  }

  /**
   * Reads a reference's constructor arguments, by their names; absent ones have the reference's defaults.
   *
   * @throws WeightsException if an argument is missing, of a wrong type, absurd, or unknown
   */
  public static SwinConfig of(Map<String, ?> arguments, Behaviour behaviour) {
    Arguments args = new Arguments("Swin configuration", arguments);
    List<Integer> depths = args.integers("depths");
    List<Integer> stages = new ArrayList<>();
    for (int i = 0; i < depths.size(); i++) {
      stages.add(i);
    }
    Size image = args.size(behaviour == Behaviour.DENSE ? "pretrain_img_size" : "img_size", 224);
    Object window = args.get("window_size", 7);
    List<Size> windows = window instanceof List<?> list && !isPair(list)
        ? list.stream().map(entry -> args.size("window_size", entry)).toList()
        : Collections.nCopies(depths.size(), args.size("window_size", window));
    boolean strict = args.flag("strict_img_size", true);
    SwinConfig config = new SwinConfig(behaviour, image, args.integer("patch_size", 4), args.integer("in_chans", 3),
        args.integer("embed_dim", 96), depths, args.integers("num_heads"), windows, args.integer("head_dim", 0),
        args.number("mlp_ratio", 4), args.flag("qkv_bias", true), args.number("qk_scale", 0), args.flag("ape", false),
        args.flag("patch_norm", true), behaviour == Behaviour.DENSE ? 0 : args.classes(1000),
        args.flag("always_partition", false), !strict, List.copyOf(args.integers("out_indices", stages)));
    args.ignore(TRAINING);
    args.finish();
    config.check(args);
    return config;
  }

  /** timm reads any two numbers as one window's rows and columns, also for a model of two stages. */
  private static boolean isPair(List<?> list) {
    return list.size() == 2 && !(list.get(0) instanceof List);
  }

  private static boolean within(int value, int least, int most) {
    return value >= least && value <= most;
  }

  private static boolean isSize(Size size, int most) {
    return within(size.rows(), 1, most) && within(size.columns(), 1, most);
  }

  private void check(Arguments args) {
    int stages = stages();
    boolean usable = isSize(image, Arguments.MAX_SIDE) && within(patch, 1, MAX_PATCH) && within(channels, 1, MAX_PATCH)
        && within(width, 1, MAX_WIDTH) && mlpRatio <= MAX_MLP_RATIO && (int) (width * mlpRatio) > 0
        && within(headDim, 0, MAX_WIDTH) && Double.isFinite(qkScale) && within(stages, 1, MAX_STAGES)
        && depths.stream().allMatch(depth -> within(depth, 1, MAX_DEPTH))
        && heads.stream().allMatch(count -> within(count, 1, MAX_HEADS))
        && windows.stream().allMatch(window -> isSize(window, MAX_WINDOW))
        && featureStages.stream().allMatch(stage -> within(stage, 0, stages - 1));
    args.require(usable && heads.size() == stages && windows.size() == stages,
        "sizes must be positive and not absurd, and every stage needs a depth, heads and a window: ", this);
    for (int stage = 0; stage < stages; stage++) {
      args.require(headDim != 0 || width(stage) % heads.get(stage) == 0,
          width(stage) + " channels of stage " + stage + " do not split into " + heads.get(stage) + " heads");
    }
  }
}
