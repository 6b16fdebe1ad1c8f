package io.vertebra.golden;

import io.vertebra.backbone.coatnet.CoAtNetConfig;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.weights.Json;
import io.vertebra.weights.ParameterSource;
import java.util.Optional;
import java.util.function.Consumer;

/** CoAtNets: all maps are channels first. */
record CoAtNetGolden(CoAtNetConfig config) implements GoldenModel {

  static Optional<GoldenModel> of(Metadata metadata) {
    return "coatnet".equals(metadata.get("model"))
        ? Optional.of(new CoAtNetGolden(CoAtNetConfig.of(Json.parseObject(metadata.required("config")))))
        : Optional.empty();
  }

  @Override
  public Consumer<Recorder> load(ParameterSource formula, Backend backend) {
    return config.load(formula, backend)::forward;
  }

  @Override
  public boolean channelsFirst(String tensor) {
    return true;
  }
}
