package io.vertebra;

import io.vertebra.backbone.hornet.HorNetConfig;
import io.vertebra.backbone.swin.SwinConfig;
import io.vertebra.image.Image;
import io.vertebra.weights.FormulaWeights;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Models of ten classes for images of 32 x 32 pixels, with formula weights, and images for them. */
public final class TinyModels {
  public static final SwinConfig SWIN
      = SwinConfig.of(Map.of("img_size", 32, "embed_dim", 32, "depths", List.of(2, 2, 2), "num_heads", List.of(2, 4, 8),
          "window_size", 4, "num_classes", 10), SwinConfig.Behaviour.OFFICIAL);
  private static final int SIDE = 28;

  private TinyModels() {}

  public static Model.Builder swin() {
    return Model.builder().name("tiny-swin").architecture(SWIN).weights(new FormulaWeights());
  }

  /** With global filters in two of its stages. */
  public static Model.Builder hornet() {
    Map<String, Object> filter = Map.of("order", 3, "s", "1/3", "filter", "gf", "h", 4, "w", 3);
    HorNetConfig config = HorNetConfig.of(Map.of("base_dim", 16, "depths", List.of(1, 2, 2, 1), "num_classes", 10,
        "gnconv", List.of(Map.of("order", 2), filter, filter, Map.of("order", 5))), false);
    return Model.builder().name("tiny-hornet").architecture(config).weights(new FormulaWeights());
  }

  /** Noise, another for every seed. */
  public static Image image(int seed) {
    byte[] pixels = new byte[SIDE * SIDE * 3];
    new Random(seed).nextBytes(pixels);
    return Image.rgb(ByteBuffer.allocateDirect(pixels.length).put(pixels).flip(), SIDE, SIDE);
  }
}
