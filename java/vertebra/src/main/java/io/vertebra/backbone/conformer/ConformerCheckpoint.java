package io.vertebra.backbone.conformer;

import io.vertebra.backbone.conformer.ConformerConfig.Classifiers;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.Naming;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.WeightsException;
import java.util.HashMap;
import java.util.Map;

/** Checkpoints of Conformers: their parameter names, official or open-mmlab's, and what they tell about the model. */
final class ConformerCheckpoint {
  /** Channels of a head in every published model; shapes do not tell. */
  static final int HEAD_DIM = 64;

  private static final String FIRST = "conv_1.conv1.weight";
  private static final String TOKEN_CLASSIFIER = "trans_cls_head.weight";
  private static final String MAP_CLASSIFIER = "conv_cls_head.weight";

  private ConformerCheckpoint() {}

  /** The official names, or mmpretrain's if the source has its layout: its classifiers stand beside the backbone. */
  static Naming naming(ParameterSource source) {
    Naming official = official(source);
    String head = official.prefixBefore("backbone.") + "head.";
    return !isMmpretrain(official) ? official
        : official.renamed(ConformerCheckpoint::mmpretrainName).moved("conv_cls_head.", head + "conv_cls_head.")
            .moved("trans_cls_head.", head + "trans_cls_head.");
  }

  private static String mmpretrainName(String official) {
    return official.replace(".norm1.", ".ln1.").replace(".norm2.", ".ln2.").replace(".mlp.fc1.", ".ffn.layers.0.0.")
        .replace(".mlp.fc2.", ".ffn.layers.1.");
  }

  private static Naming official(ParameterSource source) {
    return Naming.of("Conformer", source, FIRST);
  }

  private static boolean isMmpretrain(Naming official) {
    return official.has("trans_1.ln1.weight");
  }

  /** Whether the parameters are a Conformer's. */
  static boolean matches(ParameterSource source) {
    Naming naming = naming(source);
    return naming.has(FIRST) && naming.has("trans_patch_conv.weight");
  }

  /**
   * {@code config} with the classifiers and classes the checkpoint has, and mmpretrain's padding if it has its names.
   */
  static ConformerConfig adapt(ConformerConfig config, ParameterSource source) {
    Naming naming = naming(source);
    if (!naming.isListed()) {
      return config;
    }
    Classifiers classifiers = !naming.has(TOKEN_CLASSIFIER) ? Classifiers.NONE
        : naming.has(MAP_CLASSIFIER) ? Classifiers.BOTH : Classifiers.TOKENS;
    return config.with(classifiers, naming.rows(TOKEN_CLASSIFIER), config.padding() || isMmpretrain(official(source)));
  }

  /**
   * The configuration a checkpoint's metadata states, or else its shapes imply.
   *
   * @throws WeightsException if neither tells
   */
  static ConformerConfig recognise(ParameterSource source) {
    Naming naming = naming(source);
    ConformerConfig config = naming.config().map(stated -> ConformerConfig.of(stated, !naming.has(MAP_CLASSIFIER)))
        .orElseGet(() -> implied(naming));
    return adapt(config, source);
  }

  private static ConformerConfig implied(Naming naming) {
    int depth = 1 + naming.count("conv_trans_", 2, ".cnn_block.conv1.weight");
    Shape embedding = naming.shape("trans_patch_conv.weight", 4);
    int embedDim = embedding.dim(0);
    if (embedDim != 384 && embedDim != 576) {
      throw new WeightsException(naming.source().describe() + ": a Conformer with tokens of " + embedDim
          + " channels is no published one, and its shapes"
          + " do not tell the number of heads; name the model's configuration");
    }
    Map<String, Object> arguments = new HashMap<>();
    arguments.put("patch_size", 4 * embedding.dim(-1));
    arguments.put("in_chans", naming.shape("conv1.weight", 4).dim(1));
    arguments.put("channel_ratio",
        naming.shape("conv_trans_" + depth + ".fusion_block.conv3.weight", 4).dim(0) / 256.0);
    arguments.put("num_med_block", naming.count("conv_trans_2.med_block.", 0, ".conv1.weight"));
    arguments.put("embed_dim", embedDim);
    arguments.put("depth", depth);
    arguments.put("num_heads", embedDim / HEAD_DIM);
    arguments.put("mlp_ratio", (double) naming.shape("trans_1.mlp.fc1.weight", 2).dim(0) / embedDim);
    arguments.put("qkv_bias", naming.has("trans_1.attn.qkv.bias"));
    return ConformerConfig.of(arguments, true);
  }
}
