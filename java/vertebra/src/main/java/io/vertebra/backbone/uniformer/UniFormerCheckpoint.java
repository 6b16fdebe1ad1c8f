package io.vertebra.backbone.uniformer;

import io.vertebra.backbone.Variant;
import io.vertebra.backbone.uniformer.UniFormerConfig.Kind;
import io.vertebra.backbone.uniformer.UniFormerConfig.LayerScale;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Size;
import io.vertebra.weights.Json;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.Renamed;
import io.vertebra.weights.WeightsException;
import java.util.Comparator;
import java.util.List;
import java.util.Set;

/** Checkpoints of UniFormers: their parameter names, and what they tell about the model. */
final class UniFormerCheckpoint {
  private static final String FIRST = "blocks1.0.pos_embed.weight";

  private UniFormerCheckpoint() {}

  /** Whether the parameters are a UniFormer's. */
  static boolean matches(ParameterSource source) {
    Set<String> names = unwrap(source).names();
    return names.contains(FIRST) && names.contains("blocks3.0.attn.qkv.weight");
  }

  /**
   * The source without what training frameworks put before every name ({@code module.}, {@code backbone.}) and around
   * the backbone (necks, heads).
   */
  static ParameterSource unwrap(ParameterSource source) {
    return source.names().stream().filter(name -> name.endsWith("." + FIRST))
        .min(Comparator.comparingInt(String::length)).map(name -> {
          String prefix = name.substring(0, name.length() - FIRST.length());
          return Renamed.of(source, other -> other.startsWith(prefix) ? other.substring(prefix.length()) : null);
        }).orElse(source);
  }

  /** Parameters that published checkpoints may hold and a kind of model has no use for. */
  static boolean unused(String name, Kind kind) {
    boolean ofClassifier = name.startsWith("norm.") || name.startsWith("norm_cls.") || name.startsWith("head.")
        || name.startsWith("head_cls.");
    return name.endsWith("num_batches_tracked") || kind.isDense() && ofClassifier
        || kind != Kind.TOKEN_LABELING && name.startsWith("aux_head.");
  }

  /**
   * {@code config} with what the checkpoint settles: the classes it has a head for, its layer scales, whether it is a
   * dense backbone's.
   */
  static UniFormerConfig adapt(UniFormerConfig config, ParameterSource wrapped) {
    ParameterSource source = unwrap(wrapped);
    Set<String> names = source.names();
    if (names.isEmpty()) {
      return config;
    }
    Kind kind = config.kind();
    if (!names.contains("norm.weight") && names.contains("norm1.weight")) {
      kind = kind == Kind.IMAGE ? Kind.DENSE : kind == Kind.LIGHT ? Kind.LIGHT_DENSE : kind;
    }
    LayerScale scale = names.contains("blocks1.0.gamma_1") ? LayerScale.ALL_BLOCKS
        : names.contains("blocks3.0.gamma_1") ? LayerScale.GLOBAL_BLOCKS : LayerScale.NONE;
    boolean headless = kind.isDense() || !names.contains("head.weight");
    return config.with(kind, headless ? 0 : shape(source, "head.weight").dim(0), scale);
  }

  /**
   * The configuration a checkpoint's metadata states, or else that of the one published model its names and shapes fit.
   * They do not tell the size of a head, windows or how a light model prunes.
   *
   * @throws WeightsException if no published model or several fit
   */
  static UniFormerConfig recognise(ParameterSource wrapped, List<Variant> published) {
    ParameterSource source = unwrap(wrapped);
    String stated = source.metadata().get("config");
    if (stated != null) {
      return adapt(UniFormerConfig.of(Json.parseObject(stated), kind(source)), source);
    }
    List<Variant> fitting
        = published.stream().filter(variant -> fits((UniFormerConfig) variant.architecture(), source)).toList();
    List<UniFormerConfig> configs
        = fitting.stream().map(variant -> adapt((UniFormerConfig) variant.architecture(), source)).toList();
    if (configs.stream().map(config -> config.withInput(0, Size.square(224))).distinct().count() != 1) {
      throw new WeightsException(
          source.describe() + " does not tell which UniFormer it is: size of a head and windows leave no trace in it. "
              + (fitting.isEmpty() ? "No published model has its depths and widths; give its configuration"
                  : "Name the model, one of " + String.join(", ", fitting.stream().map(Variant::name).toList())));
    }
    // Models that differ in their input alone are one; the usual input is the default.
    return configs.stream()
        .min(Comparator.comparingInt(config -> Math.abs(config.inputHeight() - 224) + Math.abs(config.frames() - 16)))
        .orElseThrow();
  }

  private static Kind kind(ParameterSource source) {
    Set<String> names = source.names();
    boolean light = names.contains("cls_upsample.weight");
    if (shape(source, FIRST).rank() == 5) {
      return light ? Kind.LIGHT_VIDEO : Kind.VIDEO;
    }
    if (!names.contains("norm.weight")) {
      return light ? Kind.LIGHT_DENSE : Kind.DENSE;
    }
    return light ? Kind.LIGHT : names.contains("aux_head.weight") ? Kind.TOKEN_LABELING : Kind.IMAGE;
  }

  /** Whether the checkpoint has the parameters of a published model, as far as configurations differ in them. */
  private static boolean fits(UniFormerConfig config, ParameterSource source) {
    Kind kind = config.kind() == Kind.POSE ? Kind.DENSE : config.kind();
    if (kind != kind(source) || config.convStem() != source.names().contains("patch_embed1.proj.0.weight")) {
      return false;
    }
    for (int stage = 0; stage < config.depths().size(); stage++) {
      String blocks = "blocks" + (stage + 1) + ".";
      int depth = config.depths().get(stage);
      if (!source.names().contains(blocks + (depth - 1) + ".pos_embed.weight")
          || source.names().contains(blocks + depth + ".pos_embed.weight")
          || shape(source, blocks + "0.pos_embed.weight").dim(0) != config.widths().get(stage)
          || shape(source, blocks + "0.mlp.fc1.weight").dim(0) != config.hidden(stage)) {
        return false;
      }
    }
    return true;
  }

  private static Shape shape(ParameterSource source, String name) {
    Parameter parameter = source.find(name, null);
    if (parameter == null || parameter.shape().rank() < 2) {
      throw new WeightsException(source.describe() + " is no complete UniFormer: "
          + (parameter == null ? "it lacks " + name : parameter + " is no matrix"));
    }
    return parameter.shape();
  }
}
