package io.vertebra.backbone.conformer;

import io.vertebra.backbone.Family;
import io.vertebra.backbone.Variant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The released Conformers. */
public final class ConformerFamily {
  private ConformerFamily() {}

  public static Family family() {
    return new Family("conformer", variants(), ConformerCheckpoint::matches, ConformerCheckpoint::recognise);
  }

  private static List<Variant> variants() {
    return List.of(new Variant("Conformer_tiny_patch16", published(16, 1, 384), Optional.of(81.3)),
        new Variant("Conformer_small_patch16", published(16, 4, 384), Optional.of(83.4)),
        new Variant("Conformer_small_patch32", published(32, 4, 384), Optional.empty()),
        new Variant("Conformer_base_patch16", published(16, 6, 576), Optional.of(84.1)));
  }

  private static ConformerConfig published(int patch, int ratio, int embedDim) {
    return ConformerConfig.of(Map.of("patch_size", patch, "channel_ratio", ratio, "embed_dim", embedDim, "num_heads",
        embedDim / ConformerCheckpoint.HEAD_DIM, "qkv_bias", true), false);
  }
}
