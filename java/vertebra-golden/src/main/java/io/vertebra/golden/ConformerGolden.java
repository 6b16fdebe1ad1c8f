package io.vertebra.golden;

import io.vertebra.backbone.conformer.ConformerConfig;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.weights.Json;
import io.vertebra.weights.ParameterSource;
import java.util.Optional;
import java.util.function.Consumer;

/** Conformers, recognised by the reference a file names. Maps are channels first, tokens are not. */
record ConformerGolden(ConformerConfig config) implements GoldenModel {

  static Optional<GoldenModel> of(Metadata metadata) {
    String reference = metadata.get("reference");
    if (reference == null || !reference.contains("Conformer")) {
      return Optional.empty();
    }
    ConformerConfig config
        = ConformerConfig.of(Json.parseObject(metadata.required("config")), reference.contains("mmdet"));
    // Padding changes nothing at sizes the official model accepts; files with others were made with it.
    return Optional.of(new ConformerGolden(config.withPadding()));
  }

  @Override
  public Consumer<Recorder> load(ParameterSource formula, Backend backend) {
    return config.load(formula, backend)::forward;
  }

  @Override
  public boolean channelsFirst(String tensor) {
    return !tensor.endsWith("tokens") && !tensor.endsWith("cls") && !tensor.endsWith("pooled")
        && !tensor.endsWith("logits");
  }
}
