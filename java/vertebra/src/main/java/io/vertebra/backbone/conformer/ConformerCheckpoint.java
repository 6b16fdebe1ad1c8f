package io.vertebra.backbone.conformer;

import io.vertebra.backbone.conformer.ConformerConfig.Classifiers;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.Json;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.Renamed;
import io.vertebra.weights.WeightsException;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/** Checkpoints of Conformers: their parameter names, official or open-mmlab's, and what they tell about the model. */
final class ConformerCheckpoint {
  /** Channels of a head in every published model; shapes do not tell. */
  static final int HEAD_DIM = 64;

  private static final String FIRST = "conv_1.conv1.weight";
  private static final String TOKEN_CLASSIFIER = "trans_cls_head.weight";
  private static final String MAP_CLASSIFIER = "conv_cls_head.weight";

  private ConformerCheckpoint() {}

  /**
   * The source with the official names: without what training frameworks put before every name ({@code module.}, {@code
   * backbone.}), necks and detection heads, and with mmpretrain's names for layers turned back.
   */
  static ParameterSource officialNames(ParameterSource source) {
    String prefix = Renamed.prefix(source, FIRST);
    String outer = prefix.endsWith("backbone.") ? prefix.substring(0, prefix.length() - "backbone.".length()) : prefix;
    String head = outer + "head.";
    return Renamed.of(source, name -> {
      if (name.startsWith(head + "conv_cls_head.") || name.startsWith(head + "trans_cls_head.")) {
        return name.substring(head.length());
      }
      return name.startsWith(prefix) ? officialName(name.substring(prefix.length())) : null;
    });
  }

  private static String officialName(String name) {
    return name.replace(".ln1.", ".norm1.").replace(".ln2.", ".norm2.").replace(".ffn.layers.0.0.", ".mlp.fc1.")
        .replace(".ffn.layers.1.", ".mlp.fc2.");
  }

  /** Whether the parameters are a Conformer's. */
  static boolean matches(ParameterSource source) {
    Set<String> names = officialNames(source).names();
    return names.contains(FIRST) && names.contains("trans_patch_conv.weight");
  }

  /**
   * {@code config} with the classifiers and classes the checkpoint has, and mmpretrain's padding if it has its names.
   */
  static ConformerConfig adapt(ConformerConfig config, ParameterSource source) {
    if (source.names().isEmpty()) {
      return config;
    }
    ParameterSource official = officialNames(source);
    boolean padding = config.padding() || source.names().contains(Renamed.prefix(source, FIRST) + "trans_1.ln1.weight");
    if (!official.names().contains(TOKEN_CLASSIFIER)) {
      return config.with(Classifiers.NONE, 0, padding);
    }
    int classes = shape(official, TOKEN_CLASSIFIER, 2).dim(0);
    return config.with(official.names().contains(MAP_CLASSIFIER) ? Classifiers.BOTH : Classifiers.TOKENS, classes,
        padding);
  }

  /**
   * The configuration a checkpoint's metadata states, or else its shapes imply.
   *
   * @throws WeightsException if neither tells
   */
  static ConformerConfig recognise(ParameterSource source) {
    String stated = source.metadata().get("config");
    boolean detection = !officialNames(source).names().contains(MAP_CLASSIFIER);
    return adapt(
        stated != null ? ConformerConfig.of(Json.parseObject(stated), detection) : implied(officialNames(source)),
        source);
  }

  private static ConformerConfig implied(ParameterSource source) {
    Set<String> names = source.names();
    int depth = 1;
    while (names.contains("conv_trans_" + (depth + 1) + ".cnn_block.conv1.weight")) {
      depth++;
    }
    int medBlocks = 0;
    while (names.contains("conv_trans_2.med_block." + medBlocks + ".conv1.weight")) {
      medBlocks++;
    }
    Shape embedding = shape(source, "trans_patch_conv.weight", 4);
    int embedDim = embedding.dim(0);
    if (embedDim != 384 && embedDim != 576) {
      throw new WeightsException(source.describe() + ": a Conformer with tokens of " + embedDim
          + " channels is no published one, and its shapes"
          + " do not tell the number of heads; name the model's configuration");
    }
    Map<String, Object> arguments = new HashMap<>();
    arguments.put("patch_size", 4 * embedding.dim(-1));
    arguments.put("in_chans", shape(source, "conv1.weight", 4).dim(1));
    arguments.put("channel_ratio",
        shape(source, "conv_trans_" + depth + ".fusion_block.conv3.weight", 4).dim(0) / 256.0);
    arguments.put("num_med_block", medBlocks);
    arguments.put("embed_dim", embedDim);
    arguments.put("depth", depth);
    arguments.put("num_heads", embedDim / HEAD_DIM);
    arguments.put("mlp_ratio", (double) shape(source, "trans_1.mlp.fc1.weight", 2).dim(0) / embedDim);
    arguments.put("qkv_bias", names.contains("trans_1.attn.qkv.bias"));
    return ConformerConfig.of(arguments, true);
  }

  private static Shape shape(ParameterSource source, String name, int rank) {
    Parameter parameter = source.find(name, null);
    if (parameter == null) {
      throw new WeightsException(source.describe() + " is no complete Conformer: it lacks " + name);
    }
    if (parameter.shape().rank() != rank) {
      throw new WeightsException(
          source.describe() + " is no Conformer: " + parameter + " should have " + rank + " dimensions");
    }
    return parameter.shape();
  }
}
