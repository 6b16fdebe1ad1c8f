package io.vertebra.golden;

import io.vertebra.backbone.swin.SwinCheckpoint;
import io.vertebra.backbone.swin.SwinConfig;
import io.vertebra.backbone.swin.SwinConfig.Behaviour;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.weights.Json;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.WeightsException;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Swin Transformers. Official and timm tensors are tokens, channels last; the dense backbone's maps are channels first.
 */
record SwinGolden(SwinConfig config, boolean timmNames) implements GoldenModel {

  static Optional<GoldenModel> of(Metadata metadata) {
    if (!"swin".equals(metadata.get("model")) || "resize".equals(metadata.get("behaviour"))) {
      return Optional.empty();
    }
    String name = metadata.required("behaviour");
    try {
      Behaviour behaviour = Behaviour.valueOf(name.toUpperCase(Locale.ROOT));
      SwinConfig config = SwinConfig.of(Json.parseObject(metadata.required("config")), behaviour);
      return Optional.of(new SwinGolden(config, "timm".equals(metadata.get("weight_names"))));
    } catch (IllegalArgumentException e) {
      throw new WeightsException(
          metadata.file() + " has behaviour " + name + "; known are official, dense, timm and resize", e);
    }
  }

  @Override
  public Consumer<Recorder> load(ParameterSource formula, Backend backend) {
    // Formula weights under timm's names are asked for by the official ones.
    ParameterSource named
        = timmNames ? (name, expected) -> formula.find(SwinCheckpoint.timmName(name), expected) : formula;
    return config.load(named, backend)::forward;
  }

  @Override
  public boolean channelsFirst(String tensor) {
    return config.behaviour() == Behaviour.DENSE && (tensor.equals("patch_embed") || tensor.startsWith("out"));
  }
}
