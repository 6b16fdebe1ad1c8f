package io.vertebra.backbone.coatnet;

import io.vertebra.backbone.Architecture;
import io.vertebra.backbone.Arguments;
import io.vertebra.backbone.Layers;
import io.vertebra.backend.Backend;
import io.vertebra.image.Preprocessing;
import io.vertebra.program.op.Activation;
import io.vertebra.tensor.Size;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.Parameters;
import io.vertebra.weights.WeightsException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * What distinguishes one CoAtNet from another; the names of timm's constructor arguments are those of {@link #of}.
 *
 * @param image the input size the model is built for
 * @param channels of the input image
 * @param stem channels of the two convolutions of the stem
 * @param widths channels of a stage
 * @param blocks kinds of the blocks of a stage
 * @param headHidden width of the classifier's hidden layer; 0: a final norm instead
 * @param classes 0 without a classifier
 */
public record CoAtNetConfig(Size image, int channels, List<Integer> stem, boolean stemBias, List<Integer> widths,
    List<List<BlockKind>> blocks, Conv conv, Transformer transformer, int headHidden,
    int classes) implements Architecture {

  /** Constructor arguments that do nothing at inference, or only to blocks this family has not. */
  private static final List<String> UNUSED = List.of("weight_init", "drop_rate", "drop_path_rate");
  private static final List<String> UNUSED_TRANSFORMER = List.of("attn_drop", "proj_drop", "partition_ratio",
      "window_size", "grid_size", "no_block_attn", "use_nchw_attn", "norm_layer_cl");

  /** Depths of the nano models, whose published evaluation crops closer. */
  private static final List<Integer> NANO = List.of(3, 4, 6, 3);

  /** What a block is: C or T of the paper. */
  public enum BlockKind { CONVOLUTION, TRANSFORMER }

  /** Where the first convolution block of a stage halves the map. */
  public enum Stride { POOL, CONV_1X1, DEPTHWISE }

  /**
   * The convolution blocks.
   *
   * @param convNext ConvNeXt blocks; else inverted residuals (MBConv)
   * @param expandOutput whether the hidden width is a multiple of the output's, or of the input's
   * @param outputBias whether the last convolution and the shortcut's have a bias; of ConvNeXt the depthwise one
   * @param branchPool with {@link Stride#POOL}
   * @param earlyExcitation before the second norm
   * @param layerScale of ConvNeXt blocks
   */
  public record Conv(boolean convNext, double expansion, boolean expandOutput, int kernel, boolean preNormActivation,
      boolean outputBias, Stride stride, Pooling shortcutPool, Pooling branchPool, boolean earlyExcitation,
      Activation excitationActivation, double excitationRatio, boolean layerScale, Activation activation, double eps) {

    /** Hidden channels: a multiple of 8. */
    int hidden(int in, int out) {
      double wanted = (expandOutput ? out : in) * expansion;
      int rounded = Math.max(8, (int) (wanted + 4) / 8 * 8);
      return rounded < 0.9 * wanted ? rounded + 8 : rounded;
    }

    /** Channels the excitation squeezes to. */
    int squeezed(int in, int out) {
      return (int) (excitationRatio * (expandOutput ? out : hidden(in, out)));
    }
  }

  /**
   * The transformer blocks.
   *
   * @param headFirst whether the channels of qkv are (head, q|k|v, d), or (q|k|v, head, d)
   * @param expandFirst whether attention has the width of the output, or of the input
   * @param attentionBias of qkv and proj
   * @param biasHidden hidden width of the network that computes the relative bias; 0: a table
   * @param batchNorm else LayerNorm
   */
  public record Transformer(int headDim, boolean headFirst, double expansion, boolean expandFirst, boolean shortcutBias,
      boolean attentionBias, Pooling pool, int biasHidden, boolean layerScale, Activation activation, boolean batchNorm,
      double eps) {

    /** For every channel (q|k|v, head, d) of qkv, the checkpoint's. */
    public int[] checkpointRows(int heads) {
      return IntStream.range(0, 3 * heads * headDim).map(i -> {
        int part = i / headDim / heads;
        int head = i / headDim % heads;
        return headFirst ? (head * 3 + part) * headDim + i % headDim : i;
      }).toArray();
    }

    int attentionWidth(int in, int out) {
      return expandFirst ? out : in;
    }

    ChannelNorm norm(Layers layers, String name, int channels) {
      return batchNorm ? ChannelNorm.batch(layers, name, channels, eps)
          : ChannelNorm.layer(layers, name, channels, eps);
    }
  }

  @Override
  public String family() {
    return "coatnet";
  }

  @Override
  public Preprocessing preprocessing() {
    boolean squash = image.rows() == image.columns() && image.rows() >= 384;
    Preprocessing recipe = squash ? Preprocessing.squash(image.rows())
        : Preprocessing.timm(image.rows(), image.columns(), depths().equals(NANO) ? 0.9 : 0.95);
    return transformer.batchNorm() ? recipe : recipe.normalised(Preprocessing.INCEPTION, Preprocessing.INCEPTION);
  }

  @Override
  public CoAtNet load(ParameterSource source, Backend backend) {
    return new CoAtNet(this, new Parameters(CoAtNetCheckpoint.naming(source)), backend);
  }

  @Override
  public CoAtNetConfig adaptTo(ParameterSource source) {
    return CoAtNetCheckpoint.adapt(this, source);
  }

  int stages() {
    return widths.size();
  }

  /** Blocks of each stage. */
  List<Integer> depths() {
    return blocks.stream().map(List::size).toList();
  }

  /** The map of a stage that attention is sized for, by timm's rule: the stem rounds down, stages round up. */
  Size builtMap(int stage, Size input) {
    return new Size(builtLength(stage, input.rows()), builtLength(stage, input.columns()));
  }

  private static int builtLength(int stage, int pixels) {
    int length = pixels / 2;
    for (int i = 0; i <= stage; i++) {
      length = (length + 1) / 2;
    }
    return length;
  }

  /**
   * @throws IllegalArgumentException naming the size if timm cannot run the model on it: two ways around or through a
   *   block disagree
   */
  void checkInput(Size input) {
    if (!accepts(input.rows()) || !accepts(input.columns())) {
      throw new IllegalArgumentException("a CoAtNet of this configuration cannot take an input of " + input.rows() + "x"
          + input.columns() + " pixels: halved " + (stages() + 1)
          + " times, rounded up by convolutions and down by pooling, its maps do not fit together. Take"
          + " multiples of " + (2 << stages()));
    }
  }

  private boolean accepts(int pixels) {
    int length = (pixels + 1) / 2;
    for (int stage = 0; stage < stages(); stage++) {
      boolean transforms = blocks.get(stage).get(0) == BlockKind.TRANSFORMER;
      int around = transforms ? transformer.pool().halve(length)
          : (conv.convNext() ? Pooling.AVG2 : conv.shortcutPool()).halve(length);
      int through
          = transforms ? around : conv.stride() == Stride.POOL ? conv.branchPool().halve(length) : (length + 1) / 2;
      boolean attends = blocks.get(stage).contains(BlockKind.TRANSFORMER);
      if (around == 0 || around != through || attends && around != builtLength(stage, pixels)) {
        return false;
      }
      length = around;
    }
    return true;
  }

  /** The same model built for another input size, with another classifier. */
  public CoAtNetConfig with(Size newImage, int newClasses) {
    return new CoAtNetConfig(newImage, channels, stem, stemBias, widths, blocks, conv, transformer, headHidden,
        newClasses);
  }

  /**
   * Reads timm's constructor arguments, by their names; absent ones have timm's defaults.
   *
   * @throws WeightsException if an argument is missing, of a wrong type or unknown, or asks for what no CoAtNet has
   */
  public static CoAtNetConfig of(Map<String, ?> arguments) {
    Arguments args = new Arguments("CoAtNet configuration", arguments);
    Size stem = args.size("stem_width", 64);
    List<Integer> depths = args.depths("depths");
    CoAtNetConfig config = new CoAtNetConfig(args.size("img_size", 224), args.integer("in_chans", 3),
        List.of(stem.rows(), stem.columns()), args.flag("stem_bias", false), args.integers("embed_dim"),
        blocks(args, depths), conv(args.nested("conv_cfg")), transformer(args.nested("transformer_cfg")),
        args.integer("head_hidden_size", 0), args.classes(1000));
    args.choice("global_pool", "avg");
    args.ignore(UNUSED);
    args.finish();
    config.check(args);
    return config;
  }

  private static Conv conv(Arguments args) {
    boolean convNext = args.choice("block_type", "mbconv", "convnext") == 1;
    Conv conv = new Conv(convNext, args.number("expand_ratio", 4), args.flag("expand_output", true),
        args.integer("kernel_size", 3), args.flag("pre_norm_act", false), args.flag("output_bias", true),
        List.of(Stride.DEPTHWISE, Stride.POOL, Stride.CONV_1X1).get(args.choice("stride_mode", "dw", "pool", "1x1")),
        pooling(args, "pool_type"), pooling(args, "downsample_pool_type"), args.flag("attn_early", false),
        activation(args, "attn_act_layer", "silu"), args.number("attn_ratio", 0.25),
        convNext && args.get("init_values", null) != null, activation(args, "act_layer", "gelu"),
        args.number("norm_eps", convNext ? 1e-6 : 1e-5));
    args.choice("attn_layer", "se");
    args.choice("padding", "");
    args.choice("norm_layer", convNext ? "layernorm2d" : "batchnorm2d");
    args.ignore(List.of("init_values", "norm_layer_cl"));
    args.require(
        args.integer("group_size", 1) == 1 && (!convNext || conv.stride() == Stride.DEPTHWISE) && conv.kernel() > 0
            && conv.kernel() % 2 == 1,
        "kernels must be odd, convolutions depthwise (group_size 1), and ConvNeXt blocks stride there: ", conv);
    args.finish();
    return conv;
  }

  private static Transformer transformer(Arguments args) {
    boolean computed = args.choice("rel_pos_type", "bias", "mlp") == 1;
    int hidden = args.integer("rel_pos_dim", 512);
    Transformer transformer = new Transformer(args.integer("dim_head", 32), args.flag("head_first", true),
        args.number("expand_ratio", 4), args.flag("expand_first", true), args.flag("shortcut_bias", true),
        args.flag("attn_bias", true), pooling(args, "pool_type"), computed ? hidden : 0,
        args.get("init_values", null) != null, activation(args, "act_layer", "gelu"),
        args.choice("norm_layer", "layernorm2d", "batchnorm2d") == 1, args.number("norm_eps", 1e-6));
    args.ignore(UNUSED_TRANSFORMER);
    args.finish();
    return transformer;
  }

  /** The kinds of every block: a letter for a stage, or a list whose last entry repeats. */
  private static List<List<BlockKind>> blocks(Arguments args, List<Integer> depths) {
    List<?> types = args.get("block_type", List.of("C", "C", "T", "T")) instanceof List<?> list ? list : List.of();
    args.require(types.size() == depths.size(),
        "block_type must be a list with an entry for each of the depths " + depths);
    List<List<BlockKind>> blocks = new ArrayList<>();
    for (int stage = 0; stage < types.size(); stage++) {
      List<?> letters = types.get(stage) instanceof List<?> list && !list.isEmpty() ? list : List.of(types.get(stage));
      List<BlockKind> kinds = new ArrayList<>();
      for (int block = 0; block < depths.get(stage); block++) {
        Object letter = letters.get(Math.min(block, letters.size() - 1));
        args.require("C".equals(letter) || "T".equals(letter), "blocks are of type C or T, not " + letter);
        kinds.add("C".equals(letter) ? BlockKind.CONVOLUTION : BlockKind.TRANSFORMER);
      }
      blocks.add(List.copyOf(kinds));
    }
    return List.copyOf(blocks);
  }

  private static Pooling pooling(Arguments args, String name) {
    return List.of(Pooling.AVG2, Pooling.MAX2, Pooling.AVG, Pooling.MAX)
        .get(args.choice(name, "avg2", "max2", "avg", "max"));
  }

  private static Activation activation(Arguments args, String name, String fallback) {
    List<String> names = List.of("gelu", "silu", "relu");
    int index = names.indexOf(args.get(name, fallback));
    args.require(index >= 0, name + " must be one of " + names);
    return List.of(Activation.GELU, Activation.SILU, Activation.RELU).get(index);
  }

  private void check(Arguments args) {
    boolean positive = image.rows() > 0 && image.columns() > 0 && channels > 0 && headHidden >= 0 && classes >= 0
        && !widths.isEmpty() && widths.size() <= 8 && stem.stream().allMatch(width -> width > 0 && width <= 1 << 14)
        && widths.stream().allMatch(width -> width > 0 && width <= 1 << 14) && blocks.stream().noneMatch(List::isEmpty)
        && transformer.headDim() > 0 && transformer.biasHidden() >= 0 && conv.expansion() > 0
        && transformer.expansion() > 0;
    args.require(positive && widths.size() == blocks.size(),
        "sizes must be positive and every stage needs a width and a depth: ", this);
    args.require(headHidden == 0 || !transformer.batchNorm(),
        "a classifier with a hidden layer has a LayerNorm, the transformer a BatchNorm");
    int in = stem.get(1);
    for (int stage = 0; stage < stages(); stage++) {
      int out = widths.get(stage);
      boolean first = blocks.get(stage).get(0) == BlockKind.TRANSFORMER;
      boolean attends = blocks.get(stage).contains(BlockKind.TRANSFORMER);
      boolean splits = out % transformer.headDim() == 0
          && (!first || transformer.attentionWidth(in, out) % transformer.headDim() == 0);
      args.require(!attends || splits,
          "channels of stage " + stage + " do not split into heads of " + transformer.headDim());
      boolean widens = conv.convNext() ? out % in == 0 : conv.squeezed(in, out) > 0 && conv.squeezed(out, out) > 0;
      args.require(first || widens, in + " channels do not widen to the " + out + " of stage " + stage);
      in = out;
    }
  }
}
