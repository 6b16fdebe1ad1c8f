package io.vertebra.backbone.swin;

import io.vertebra.backbone.swin.SwinConfig.Behaviour;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.Json;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.WeightsException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Checkpoints of Swin Transformers: their parameter names, and what they tell about the model. */
public final class SwinCheckpoint {
  private static final String FIRST = "patch_embed.proj.weight";
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

  /**
   * The source without what training frameworks put before every name ({@code module.}, {@code backbone.}) and around
   * the backbone (necks, heads).
   */
  static ParameterSource unwrap(ParameterSource source) {
    return source.names().stream().filter(name -> name.endsWith("." + FIRST))
        .min(Comparator.comparingInt(String::length))
        .<ParameterSource>map(name -> new Subtree(source, name.substring(0, name.length() - FIRST.length())))
        .orElse(source);
  }

  /** The parameters whose names begin with a prefix, without it. */
  private record Subtree(ParameterSource source, String prefix) implements ParameterSource {
    @Override
    public String describe() {
      return source.describe() + " under " + prefix;
    }

    @Override
    public Parameter find(String name, Shape expected) {
      return source.find(prefix + name, expected);
    }

    @Override
    public Set<String> names() {
      return source.names().stream().filter(name -> name.startsWith(prefix))
          .map(name -> name.substring(prefix.length())).collect(Collectors.toCollection(LinkedHashSet::new));
    }

    @Override
    public Map<String, String> metadata() {
      return source.metadata();
    }
  }

  /**
   * Whether a checkpoint with these names has timm's layout. A file without a classifier may have it too, so the head
   * alone does not tell.
   */
  static boolean isTimm(Set<String> names) {
    return names.contains("head.fc.weight") || !names.contains("layers.0.downsample.reduction.weight")
        && names.contains("layers.1.downsample.reduction.weight");
  }

  /** From an official name to the name in {@code source}. */
  static UnaryOperator<String> naming(ParameterSource source) {
    return isTimm(source.names()) ? SwinCheckpoint::timmName : UnaryOperator.identity();
  }

  /**
   * {@code config} with the classes the checkpoint has a head for, and timm's rules for sizes if it has timm's layout.
   */
  static SwinConfig adapt(SwinConfig config, ParameterSource wrapped) {
    if (wrapped.names().isEmpty()) {
      return config;
    }
    ParameterSource source = unwrap(wrapped);
    UnaryOperator<String> naming = naming(source);
    boolean headless = !source.names().contains(naming.apply("head.weight"));
    SwinConfig adapted = config.withClasses(headless ? 0 : shape(source, naming.apply("head.weight"), 2).dim(0));
    if (headless && source.names().contains("norm0.weight")) {
      return adapted.withBehaviour(Behaviour.DENSE);
    }
    return config.behaviour() == Behaviour.OFFICIAL && isTimm(source.names()) ? adapted.withBehaviour(Behaviour.TIMM)
        : adapted;
  }

  /** Whether the parameters are a Swin Transformer's. */
  static boolean matches(ParameterSource source) {
    return unwrap(source).names().contains("layers.0.blocks.0.attn.relative_position_bias_table");
  }

  /**
   * The configuration a checkpoint's metadata states, or else its shapes imply.
   *
   * @throws WeightsException if neither tells
   */
  static SwinConfig recognise(ParameterSource wrapped) {
    ParameterSource source = unwrap(wrapped);
    String stated = source.metadata().get("config");
    SwinConfig config = stated != null ? SwinConfig.of(Json.parseObject(stated), Behaviour.OFFICIAL) : implied(source);
    return adapt(config, source);
  }

  private static SwinConfig implied(ParameterSource source) {
    Shape projection = shape(source, FIRST, 4);
    List<Integer> depths = new ArrayList<>();
    List<Integer> heads = new ArrayList<>();
    List<Integer> windows = new ArrayList<>();
    for (int stage = 0; source.names().contains(table(stage, 0)); stage++) {
      int depth = 1;
      while (source.names().contains(table(stage, depth))) {
        depth++;
      }
      depths.add(depth);
      Shape table = shape(source, table(stage, 0), 2);
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
    arguments.put("mlp_ratio", (double) shape(source, "layers.0.blocks.0.mlp.fc1.weight", 2).dim(0) / width);
    arguments.put("qkv_bias", source.names().contains("layers.0.blocks.0.attn.qkv.bias"));
    arguments.put("patch_norm", source.names().contains("patch_embed.norm.weight"));
    if (source.names().contains("absolute_pos_embed")) {
      throw new WeightsException(source.describe()
          + " has absolute position embeddings, which do not tell the input size;" + " name the model's configuration");
    }
    return SwinConfig.of(arguments, Behaviour.OFFICIAL);
  }

  private static String table(int stage, int block) {
    return "layers." + stage + ".blocks." + block + ".attn.relative_position_bias_table";
  }

  private static Shape shape(ParameterSource source, String name, int rank) {
    Parameter parameter = source.find(name, null);
    if (parameter == null) {
      throw new WeightsException(source.describe() + " is no complete Swin Transformer: it lacks " + name);
    }
    if (parameter.shape().rank() != rank) {
      throw new WeightsException(
          source.describe() + " is no Swin Transformer: " + parameter + " should have " + rank + " dimensions");
    }
    return parameter.shape();
  }
}
