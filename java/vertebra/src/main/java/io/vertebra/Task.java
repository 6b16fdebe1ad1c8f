package io.vertebra;

import io.vertebra.backbone.Backbone;
import io.vertebra.program.Recording;
import io.vertebra.tensor.Shape;
import java.util.Set;

/**
 * What a call wants of a model.
 *
 * @param outputs their names
 * @param dense whether {@link Backbone#features} makes them, not {@link Backbone#forward}
 */
record Task(Set<String> outputs, boolean dense) {
  static final Task EMBED = new Task(Set.of(Backbone.POOLED), false);
  static final Task LOGITS = new Task(Set.of(Backbone.LOGITS), false);
  static final Task CLASSIFY = new Task(Set.of(Backbone.PROBABILITIES), false);

  static Task features(Backbone backbone) {
    return new Task(Set.copyOf(backbone.featureNames()), true);
  }

  /** As far as the weights go: to probabilities, an embedding or feature maps. */
  static Task furthest(Backbone backbone) {
    return backbone.embeddingWidth() == 0 ? features(backbone) : backbone.classes() > 0 ? CLASSIFY : EMBED;
  }

  /** @throws IllegalArgumentException if the model's weights do not go that far */
  void requireOf(Model model) {
    Backbone backbone = model.backbone();
    if (!dense && backbone.embeddingWidth() == 0) {
      throw new IllegalArgumentException("the weights of model " + model.name()
          + " are a dense backbone's, without final norm and classifier; use features");
    }
    if (backbone.classes() == 0 && (outputs.contains(Backbone.LOGITS) || outputs.contains(Backbone.PROBABILITIES))) {
      throw new IllegalArgumentException(
          "the weights of model " + model.name() + " have no classifier; use embed or features");
    }
  }

  /** @param input {@code [batch, (frames,) height, width, channels]} */
  Recording record(Backbone backbone, Shape input) {
    return Recording.of(input, outputs, dense ? backbone::features : backbone::forward);
  }
}
