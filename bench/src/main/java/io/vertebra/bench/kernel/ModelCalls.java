package io.vertebra.bench.kernel;

import io.vertebra.Families;
import io.vertebra.backbone.Architecture;
import io.vertebra.backbone.Backbone;
import io.vertebra.program.Recording;
import io.vertebra.program.op.Call;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.FormulaWeights;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/** The steps of models for one image, with weights by formula. */
public final class ModelCalls {
  private ModelCalls() {}

  /**
   * @param size of the image, both axes; 0: what each model is built for
   * @throws IllegalArgumentException for an unknown model or a size it does not take
   */
  public static Stream<Call> of(List<String> models, int size) {
    return models.stream().map(Families::named).flatMap(variant -> {
      Architecture architecture = variant.architecture();
      int height = size > 0 ? size : architecture.image().rows();
      int width = size > 0 ? size : architecture.image().columns();
      Backbone backbone = architecture.load(new FormulaWeights(), new ReferenceBackend());
      Shape image = Shape.of(1, height, width, backbone.inputChannels());
      return Recording.of(image, Set.of(Backbone.LOGITS), backbone::forward).calls().stream();
    });
  }
}
