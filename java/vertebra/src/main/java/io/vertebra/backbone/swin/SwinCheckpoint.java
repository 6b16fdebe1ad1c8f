package io.vertebra.backbone.swin;

import io.vertebra.backbone.swin.SwinConfig.Behaviour;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.Naming;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.WeightsException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Checkpoints of Swin Transformers: their parameter names, and what they tell about the model. */
public final class SwinCheckpoint {
  private static final String FIRST = "patch_embed.proj.weight";
  private static final String HEAD = "head.weight";
  private static final String TABLE = ".attn.relative_position_bias_table";
  private static final String FIRST_TABLE = ".blocks.0" + TABLE;
  private static final Pattern DOWNSAMPLE = Pattern.compile("layers\\.(\\d+)\\.downsample\\.(.*)");

  private SwinCheckpoint() {}

  /**
   * The official name of a parameter to timm's: a downsampling opens the next stage instead of closing its own, and the
   * head is {@code head.fc}.
   */
  public static String timmName(String official) {
    Matcher downsample = DOWNSAMPLE.matcher(official);
    if (downsample.matches()) {
      return "layers." + (Integer.parseInt(downsample.group(1)) + 1) + ".downsample." + downsample.group(2);
    }
    return official.startsWith("head.") ? "head.fc." + official.substring("head.".length()) : official;
  }

  /** The official names, or timm's if the source has its layout. */
  static Naming naming(ParameterSource source) {
    Naming official = official(source);
    return isTimm(official) ? official.renamed(SwinCheckpoint::timmName) : official;
  }

  private static Naming official(ParameterSource source) {
    return Naming.of("Swin Transformer", source, FIRST);
  }

  /** A file without a classifier may have timm's layout too, so the head alone does not tell. */
  private static boolean isTimm(Naming official) {
    return official.has("head.fc.weight") || !official.has("layers.0.downsample.reduction.weight")
        && official.has("layers.1.downsample.reduction.weight");
  }

  /**
   * {@code config} with the classes the checkpoint has a head for, and timm's rules for sizes if it has timm's layout.
   */
  static SwinConfig adapt(SwinConfig config, ParameterSource source) {
    Naming naming = naming(source);
    if (!naming.isListed()) {
      return config;
    }
    SwinConfig adapted = config.withClasses(naming.rows(HEAD));
    if (!naming.has(HEAD) && naming.has("norm0.weight")) {
      return adapted.withBehaviour(Behaviour.DENSE);
    }
    return config.behaviour() == Behaviour.OFFICIAL && isTimm(official(source)) ? adapted.withBehaviour(Behaviour.TIMM)
        : adapted;
  }

  /** Whether the parameters are a Swin Transformer's. */
  static boolean matches(ParameterSource source) {
    return naming(source).has("layers.0" + FIRST_TABLE);
  }

  /**
   * The configuration a checkpoint's metadata states, or else its shapes imply.
   *
   * @throws WeightsException if neither tells
   */
  static SwinConfig recognise(ParameterSource source) {
    Naming naming = naming(source);
    SwinConfig config
        = naming.config().map(stated -> SwinConfig.of(stated, Behaviour.OFFICIAL)).orElseGet(() -> implied(naming));
    return adapt(config, source);
  }

  private static SwinConfig implied(Naming naming) {
    Shape projection = naming.shape(FIRST, 4);
    List<Integer> depths = new ArrayList<>();
    List<Integer> heads = new ArrayList<>();
    List<Integer> windows = new ArrayList<>();
    for (int stage = 0; naming.has("layers." + stage + FIRST_TABLE); stage++) {
      depths.add(naming.count("layers." + stage + ".blocks.", 0, TABLE));
      Shape table = naming.shape("layers." + stage + FIRST_TABLE, 2);
      heads.add(table.dim(-1));
      windows.add(((int) Math.round(Math.sqrt(table.dim(0))) + 1) / 2);
    }
    int width = projection.dim(0);
    int patch = projection.dim(-1);
    // Released models have maps of 8, 4, 2 and 1 windows of the first stage's size; s3 ones are built for 224.
    int firstWindow = windows.get(0);
    boolean uniform = windows.stream().distinct().count() == 1;
    Map<String, Object> arguments = new HashMap<>();
    arguments.put("img_size", uniform ? firstWindow * patch << depths.size() - 1 : 224);
    arguments.put("patch_size", patch);
    arguments.put("in_chans", projection.dim(1));
    arguments.put("embed_dim", width);
    arguments.put("depths", depths);
    arguments.put("num_heads", heads);
    arguments.put("window_size", uniform ? firstWindow : windows);
    arguments.put("mlp_ratio", (double) naming.shape("layers.0.blocks.0.mlp.fc1.weight", 2).dim(0) / width);
    arguments.put("qkv_bias", naming.has("layers.0.blocks.0.attn.qkv.bias"));
    arguments.put("patch_norm", naming.has("patch_embed.norm.weight"));
    if (naming.has("absolute_pos_embed")) {
      throw new WeightsException(naming.source().describe()
          + " has absolute position embeddings, which do not tell the input size; name the model's configuration");
    }
    return SwinConfig.of(arguments, Behaviour.OFFICIAL);
  }
}
