package io.vertebra.backbone.uniformer;

import io.vertebra.backbone.Variant;
import io.vertebra.backbone.uniformer.UniFormerConfig.Kind;
import io.vertebra.backbone.uniformer.UniFormerConfig.LayerScale;
import io.vertebra.tensor.Size;
import io.vertebra.weights.Naming;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.WeightsException;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Checkpoints of UniFormers: their parameter names, and what they tell about the model. */
final class UniFormerCheckpoint {
  private static final String FIRST = "blocks1.0.pos_embed.weight";

  private UniFormerCheckpoint() {}

  /** The official names. */
  static Naming naming(ParameterSource source) {
    return Naming.of("UniFormer", source, FIRST);
  }

  /** Whether the parameters are a UniFormer's. */
  static boolean matches(ParameterSource source) {
    Naming naming = naming(source);
    return naming.has(FIRST) && naming.has("blocks3.0.attn.qkv.weight");
  }

  /** Parameters that published checkpoints may hold and a kind of model has no use for. */
  static boolean unused(String name, Kind kind) {
    boolean ofClassifier = name.startsWith("norm.") || name.startsWith("norm_cls.") || name.startsWith("head.")
        || name.startsWith("head_cls.");
    return kind.isDense() && ofClassifier || kind != Kind.TOKEN_LABELING && name.startsWith("aux_head.");
  }

  /**
   * {@code config} with what the checkpoint settles: the classes it has a head for, its layer scales, whether it is a
   * dense backbone's.
   */
  static UniFormerConfig adapt(UniFormerConfig config, ParameterSource source) {
    Naming naming = naming(source);
    if (!naming.isListed()) {
      return config;
    }
    Kind kind = config.kind();
    if (!naming.has("norm.weight") && naming.has("norm1.weight")) {
      kind = kind == Kind.IMAGE ? Kind.DENSE : kind == Kind.LIGHT ? Kind.LIGHT_DENSE : kind;
    }
    LayerScale scale = naming.has("blocks1.0.gamma_1") ? LayerScale.ALL_BLOCKS
        : naming.has("blocks3.0.gamma_1") ? LayerScale.GLOBAL_BLOCKS : LayerScale.NONE;
    return config.with(kind, kind.isDense() ? 0 : naming.rows("head.weight"), scale);
  }

  /**
   * The configuration a checkpoint's metadata states, or else that of the one published model its names and shapes fit.
   * They do not tell the size of a head, windows or how a light model prunes.
   *
   * @throws WeightsException if no published model or several fit
   */
  static UniFormerConfig recognise(ParameterSource source, List<Variant> published) {
    Naming naming = naming(source);
    Optional<Map<String, Object>> stated = naming.config();
    if (stated.isPresent()) {
      return adapt(UniFormerConfig.of(stated.get(), kind(naming)), source);
    }
    List<Variant> fitting
        = published.stream().filter(variant -> fits((UniFormerConfig) variant.architecture(), naming)).toList();
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
        .min(Comparator.comparingInt(config -> Math.abs(config.image().rows() - 224) + Math.abs(config.frames() - 16)))
        .orElseThrow();
  }

  private static Kind kind(Naming naming) {
    boolean light = naming.has("cls_upsample.weight");
    if (naming.shape(FIRST, 2).rank() == 5) {
      return light ? Kind.LIGHT_VIDEO : Kind.VIDEO;
    }
    if (!naming.has("norm.weight")) {
      return light ? Kind.LIGHT_DENSE : Kind.DENSE;
    }
    return light ? Kind.LIGHT : naming.has("aux_head.weight") ? Kind.TOKEN_LABELING : Kind.IMAGE;
  }

  /** Whether the checkpoint has the parameters of a published model, as far as configurations differ in them. */
  private static boolean fits(UniFormerConfig config, Naming naming) {
    Kind kind = config.kind() == Kind.POSE ? Kind.DENSE : config.kind();
    if (kind != kind(naming) || config.convStem() != naming.has("patch_embed1.proj.0.weight")) {
      return false;
    }
    for (int stage = 0; stage < config.depths().size(); stage++) {
      String blocks = "blocks" + (stage + 1) + ".";
      int depth = config.depths().get(stage);
      if (!naming.has(blocks + (depth - 1) + ".pos_embed.weight") || naming.has(blocks + depth + ".pos_embed.weight")
          || naming.shape(blocks + "0.pos_embed.weight", 2).dim(0) != config.widths().get(stage)
          || naming.shape(blocks + "0.mlp.fc1.weight", 2).dim(0) != config.hidden(stage)) {
        return false;
      }
    }
    return true;
  }
}
