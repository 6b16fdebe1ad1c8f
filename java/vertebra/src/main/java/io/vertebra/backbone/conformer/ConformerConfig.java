package io.vertebra.backbone.conformer;

import io.vertebra.backbone.Architecture;
import io.vertebra.backbone.Arguments;
import io.vertebra.backend.Backend;
import io.vertebra.image.Preprocessing;
import io.vertebra.tensor.Size;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.Parameters;
import io.vertebra.weights.WeightsException;
import java.util.List;
import java.util.Map;

/**
 * What distinguishes one Conformer from another.
 *
 * @param patch pixels from one token to the next
 * @param channels of the input image
 * @param widths channels of the convolution branch in its three stages
 * @param medBlocks plain bottlenecks in every step between the two that meet the tokens
 * @param embedDim channels of the tokens
 * @param depth transformer blocks, a multiple of 3
 * @param qkScale multiplies q . k; 0: 1 / sqrt(channels of a head)
 * @param padding whether the stem's map is padded with zeros to whole patches, as open-mmlab/mmpretrain does; the
 *   official model refuses such sizes
 */
public record ConformerConfig(Classifiers classifiers, int patch, int channels, int classes, List<Integer> widths,
    int medBlocks, int embedDim, int depth, int heads, double mlpRatio, boolean qkvBias, double qkScale,
    boolean padding) implements Architecture {

  /** Constructor arguments that do nothing at inference. */
  private static final List<String> TRAINING
      = List.of("drop_rate", "attn_drop_rate", "drop_path_rate", "norm_eval", "frozen_stages");
  private static final int STAGES = 3;
  private static final int BUILT_FOR = 224;

  /** Which branches have one. */
  public enum Classifiers {
    /** The classification model: the sum of both branches' logits. */
    BOTH,
    /** The detection backbone with {@code return_cls_token}. */
    TOKENS,
    /** The detection backbone. */
    NONE
  }

  @Override
  public String family() {
    return "conformer";
  }

  @Override
  public Size image() {
    return Size.square(BUILT_FOR);
  }

  /**
   * The published model projects every position of a map to a token's width, then pools; pooling first projects one
   * position a token.
   */
  @Override
  public long savedMacs() {
    long saved = 0;
    for (int step = 2; step <= depth; step++) {
      long side = BUILT_FOR / 4 >> stage(step);
      long tokens = (side / pooling(step)) * (side / pooling(step));
      saved += (side * side - tokens) * (width(step) / 4) * embedDim;
    }
    return saved;
  }

  @Override
  public Preprocessing preprocessing() {
    return Preprocessing.official(BUILT_FOR);
  }

  @Override
  public ConformerConfig adaptTo(ParameterSource source) {
    return ConformerCheckpoint.adapt(this, source);
  }

  @Override
  public Conformer load(ParameterSource source, Backend backend) {
    return new Conformer(this, new Parameters(ConformerCheckpoint.naming(source)), backend);
  }

  /** Stage of a step, counted from 0; steps are numbered from 1. */
  int stage(int step) {
    return (step - 1) / (depth / STAGES);
  }

  /** Channels of the convolution branch after a step. */
  int width(int step) {
    return widths.get(stage(step));
  }

  /** Whether a step from the second on halves the map it is given. */
  boolean downsamples(int step) {
    return stage(step) > stage(step - 1);
  }

  /** Side of the square of map positions that share a token in a step. */
  int pooling(int step) {
    return patch / 4 >> stage(step);
  }

  int headDim() {
    return embedDim / heads;
  }

  float scale() {
    return (float) (qkScale == 0 ? 1 / Math.sqrt(headDim()) : qkScale);
  }

  /** The same model with the rules of open-mmlab/mmpretrain for sizes. */
  public ConformerConfig withPadding() {
    return with(classifiers, classes, true);
  }

  ConformerConfig with(Classifiers otherClassifiers, int otherClasses, boolean otherPadding) {
    return new ConformerConfig(otherClassifiers, patch, channels, otherClasses, widths, medBlocks, embedDim, depth,
        heads, mlpRatio, qkvBias, qkScale, otherPadding);
  }

  /**
   * Reads the reference's constructor arguments, by their names; absent ones have the reference's defaults.
   *
   * @param detection whether they are the detection backbone's
   * @throws WeightsException if an argument is of a wrong type or unknown, or the model cannot be
   */
  public static ConformerConfig of(Map<String, ?> arguments, boolean detection) {
    Arguments args = new Arguments("Conformer configuration", arguments);
    double width = args.integer("base_channel", 64) * args.number("channel_ratio", 4);
    List<Integer> widths = List.of((int) width, (int) (width * 2), (int) (width * 4));
    Classifiers classifiers
        = !detection ? Classifiers.BOTH : args.flag("return_cls_token", false) ? Classifiers.TOKENS : Classifiers.NONE;
    int classes = args.classes(1000);
    ConformerConfig config
        = new ConformerConfig(classifiers, args.integer("patch_size", 16), args.integer("in_chans", 3),
            classifiers == Classifiers.NONE ? 0 : classes, widths, args.integer("num_med_block", 0),
            args.integer("embed_dim", 768), args.integer("depth", 12), args.integer("num_heads", 12),
            args.number("mlp_ratio", 4), args.flag("qkv_bias", false), args.number("qk_scale", 0), false);
    args.ignore(TRAINING);
    args.finish();
    config.check(args);
    args.require(detection || args.integer("base_channel", 64) == 64,
        "the classifier is built for a base_channel of 64 alone");
    return config;
  }

  private void check(Arguments args) {
    boolean positive = patch > 0 && channels > 0 && widths.get(0) >= 4 && widths.get(2) <= 1 << 14 && medBlocks >= 0
        && medBlocks <= 64 && embedDim > 0 && embedDim <= 1 << 14 && depth > 0 && depth <= 96 && heads > 0
        && mlpRatio > 0 && mlpRatio <= 64 && (classifiers == Classifiers.NONE || classes > 0);
    args.require(positive && patch % 16 == 0 && depth % STAGES == 0 && embedDim % heads == 0,
        "sizes must be positive, patch_size a multiple of 16, depth of 3, embed_dim of num_heads: ", this);
  }
}
