package io.vertebra.backbone.uniformer;

import io.vertebra.backbone.Architecture;
import io.vertebra.backbone.Arguments;
import io.vertebra.backend.Backend;
import io.vertebra.image.Filter;
import io.vertebra.image.Preprocessing;
import io.vertebra.image.Preprocessing.Channels;
import io.vertebra.tensor.Size;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.Parameters;
import io.vertebra.weights.WeightsException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/**
 * What distinguishes one UniFormer from another. Lists hold an entry a stage.
 *
 * @param frames of the clip the model is built for; 0: images
 * @param image the input size the model is built for
 * @param headDim channels of a head, up to rounding: a stage has width / headDim heads
 * @param mlpRatios hidden channels of a block's MLP per channel
 * @param qkScale multiplies q . k; 0: 1 / sqrt(channels of a head)
 * @param convStem the published small_plus models and light models: two strided convolutions in place of the first
 *   patch embedding
 * @param attention what the blocks of stage 3 attend to
 * @param window side of a window of stage 3
 * @param classes 0 without a classifier
 * @param light the ratios of a light model; null for any other
 */
public record UniFormerConfig(Kind kind, int frames, Size image, List<Integer> depths, List<Integer> widths,
    int headDim, List<Double> mlpRatios, boolean qkvBias, double qkScale, boolean convStem, LayerScale layerScale,
    Attention attention, int window, boolean split, boolean overlappingTime, int classes,
    Light light) implements Architecture {

  /** The published classes. They differ in their input, heads and outputs. */
  public enum Kind {
    IMAGE, TOKEN_LABELING, VIDEO, DENSE, POSE, LIGHT, LIGHT_DENSE, LIGHT_VIDEO;

    boolean isLight() {
      return this == LIGHT || this == LIGHT_DENSE || this == LIGHT_VIDEO;
    }

    boolean isVideo() {
      return this == VIDEO || this == LIGHT_VIDEO;
    }

    /** Whether it gives feature maps, with norms of their own, in place of an embedding. */
    boolean isDense() {
      return this == DENSE || this == POSE || this == LIGHT_DENSE;
    }
  }

  /** Which blocks scale their residual branches. */
  public enum LayerScale { NONE, GLOBAL_BLOCKS, ALL_BLOCKS }

  /** What a token of stage 3 attends to; hybrid: every fourth block globally, the others in windows. */
  public enum Attention {
    GLOBAL, WINDOWS, HYBRID
  }

  /**
   * Of a light model, for every block of stages 3 and 4.
   *
   * @param kept share of the tokens that a block computes on
   * @param tradeOff weight of a block's own scores against those before
   */
  public record Light(List<List<Double>> kept, List<List<Double>> tradeOff) {}

  private static final int STAGES = 4;
  private static final int MAX_FRAMES = 1 << 10;
  private static final int MAX_WINDOW = 1 << 7;

  /** Constructor arguments that do nothing at inference. */
  private static final List<String> TRAINING = List.of("drop_rate", "attn_drop_rate", "drop_path_rate", "init_value",
      "mix_token", "use_checkpoint", "checkpoint_num");

  @Override
  public String family() {
    return "uniformer";
  }

  @Override
  public int channels() {
    return 3;
  }

  /**
   * {@inheritDoc} Token labelling models were evaluated with ImageNet's normalisation or with 0.5 for both, which their
   * repository leaves open; this is the former. The video models' recipe is for the frames of a clip.
   */
  @Override
  public Preprocessing preprocessing() {
    return switch (kind) {
      case IMAGE, LIGHT -> Preprocessing.official(image.rows());
      case TOKEN_LABELING -> Preprocessing.timm(image.rows(), 0.9);
      case VIDEO, LIGHT_VIDEO -> Preprocessing.official(image.rows()).filtered(Filter.BILINEAR)
          .normalised(new Channels(0.45f, 0.45f, 0.45f), new Channels(0.225f, 0.225f, 0.225f));
      case DENSE, POSE, LIGHT_DENSE -> Preprocessing.timm(image.rows(), image.columns(), 1);
    };
  }

  @Override
  public UniFormerConfig adaptTo(ParameterSource source) {
    return UniFormerCheckpoint.adapt(this, source);
  }

  @Override
  public UniFormer load(ParameterSource source, Backend backend) {
    return new UniFormer(this, new Parameters(UniFormerCheckpoint.naming(source)), backend);
  }

  int heads(int stage) {
    return widths.get(stage) / headDim;
  }

  float scale(int stage) {
    return (float) (qkScale == 0 ? 1 / Math.sqrt(widths.get(stage) / heads(stage)) : qkScale);
  }

  int hidden(int stage) {
    return (int) (widths.get(stage) * mlpRatios.get(stage));
  }

  /** Whether a block of a stage (both from 0) attends inside windows. */
  boolean windowed(int stage, int block) {
    return stage == 2 && (attention == Attention.WINDOWS || attention == Attention.HYBRID && (block + 1) % 4 != 0);
  }

  /** Whether the blocks of a stage scale their residual branches. */
  boolean scaled(int stage) {
    return layerScale == LayerScale.ALL_BLOCKS || layerScale == LayerScale.GLOBAL_BLOCKS && stage >= 2;
  }

  /** Whether light blocks scale what they add to the tokens they leave out by a factor of its own. */
  boolean scalesRepresentative() {
    return layerScale != LayerScale.NONE && (kind == Kind.LIGHT || kind == Kind.LIGHT_DENSE);
  }

  /** The same model for another input. */
  public UniFormerConfig withInput(int frameCount, Size size) {
    return new UniFormerConfig(kind, frameCount, size, depths, widths, headDim, mlpRatios, qkvBias, qkScale, convStem,
        layerScale, attention, window, split, overlappingTime, classes, light);
  }

  /** The same model with what a checkpoint settles. */
  UniFormerConfig with(Kind otherKind, int otherClasses, LayerScale scale) {
    return new UniFormerConfig(otherKind, frames, image, depths, widths, headDim, mlpRatios, qkvBias, qkScale, convStem,
        scale, attention, window, split, overlappingTime, otherClasses, light);
  }

  /**
   * Reads a reference's constructor arguments, by their names; absent ones have the reference's defaults.
   *
   * @throws WeightsException if an argument is missing, of a wrong type, or unknown
   */
  public static UniFormerConfig of(Map<String, ?> arguments, Kind kind) {
    Arguments args = new Arguments("UniFormer configuration", arguments);
    List<Double> ratios
        = new ArrayList<>(args.get("mlp_ratio", 4) instanceof List<?> list ? args.numbers("mlp_ratio", list)
            : Collections.nCopies(STAGES, args.number("mlp_ratio", 4)));
    if (kind == Kind.LIGHT_VIDEO && ratios.size() == STAGES) {
      // The reference gives stage 3 the ratio of stage 4; published models have one ratio for all.
      ratios.set(2, ratios.get(3));
    }
    boolean hybrid = args.flag("hybrid", false);
    boolean windows = args.flag("windows", false);
    Attention attention = windows ? Attention.WINDOWS : hybrid ? Attention.HYBRID : Attention.GLOBAL;
    LayerScale scale = !args.flag("layer_scale", false) ? LayerScale.NONE
        : kind == Kind.IMAGE ? LayerScale.GLOBAL_BLOCKS : LayerScale.ALL_BLOCKS;
    Light light = kind.isLight() ? new Light(blockNumbers(args, "prune_ratio"), blockNumbers(args, "trade_off")) : null;
    args.flag("return_dense", true);
    UniFormerConfig config = new UniFormerConfig(kind, kind.isVideo() ? args.integer("frames", 16) : 0,
        Size.square(args.integer("img_size", 224)), args.depths("depth"), args.integers("embed_dim"),
        args.integer("head_dim", 64), List.copyOf(ratios), args.flag("qkv_bias", true), args.number("qk_scale", 0),
        args.flag("conv_stem", false), scale, attention, args.integer("window_size", 14), args.flag("split", false),
        args.flag("std", false), kind.isDense() ? 0 : args.classes(1000), light);
    args.ignore(TRAINING);
    args.finish();
    config.check(args);
    return config;
  }

  private static List<List<Double>> blockNumbers(Arguments args, String name) {
    List<?> stages = args.get(name, null) instanceof List<?> list ? list : List.of();
    args.require(stages.size() == STAGES,
        "a light model needs " + name + ", a list of numbers for each of four stages");
    return stages.stream().map(stage -> args.numbers(name, stage)).toList();
  }

  private void check(Arguments args) {
    boolean positive
        = image.rows() > 0 && image.rows() <= Arguments.MAX_SIDE && frames >= 0 && frames <= MAX_FRAMES && headDim > 0
            && window > 0 && window <= MAX_WINDOW && classes >= 0 && depths.stream().allMatch(depth -> depth > 0)
            && widths.stream().allMatch(width -> width > 1 && width <= 1 << 14)
            && mlpRatios.stream().allMatch(ratio -> ratio > 0 && ratio <= 64);
    args.require(positive && depths.size() == STAGES && widths.size() == STAGES && mlpRatios.size() == STAGES,
        "sizes must be positive and not absurd, and each of four stages needs a depth, a width and an MLP ratio: ",
        this);
    boolean windows = attention != Attention.GLOBAL && kind != Kind.DENSE && kind != Kind.POSE;
    boolean times = (split || overlappingTime) && kind != Kind.VIDEO || convStem && kind == Kind.VIDEO;
    args.require(!windows && !times,
        "windows are for dense models, split and std for video models without conv_stem, not for ", this);
    for (int stage = 2; stage < STAGES; stage++) {
      args.require(heads(stage) > 0 && widths.get(stage) % heads(stage) == 0,
          widths.get(stage) + " channels of stage " + (stage + 1) + " do not split into heads of " + headDim);
      if (light != null) {
        checkRatios(args, light.kept.get(stage), stage);
        checkRatios(args, light.tradeOff.get(stage), stage);
      }
    }
    // Scores come from a block that sees all tokens, and pass to the coarser map of stage 4 from one that does not.
    args.require(light == null || light.kept.get(2).get(0) == 1 && light.kept.get(2).get(depths.get(2) - 1) != 1,
        "stage 3 must begin with a prune_ratio of 1 and end with one below");
  }

  private void checkRatios(Arguments args, List<Double> ratios, int stage) {
    args.require(ratios.size() == depths.get(stage) && ratios.stream().allMatch(ratio -> ratio >= 0 && ratio <= 1),
        "every block of stage " + (stage + 1) + " needs a ratio from 0 to 1, not " + ratios);
  }
}
