package io.vertebra.backbone;

import io.vertebra.program.Recorder;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.Softmax;
import io.vertebra.tensor.Tensor;

/** The end of every classifier. */
public final class Classifier {
  private Classifier() {}

  /**
   * Records the head and names the outputs {@link Backbone#POOLED}, {@link Backbone#LOGITS} and
   * {@link Backbone#PROBABILITIES}.
   *
   * @param pooled the embedding
   * @param features what the head reads
   * @param head null without a classifier: the reference's head is then the identity
   */
  public static void record(Recorder r, Tensor pooled, Tensor features, Linear head) {
    outputs(r, pooled, head == null ? features : r.record("head", head, features));
  }

  /** Names the outputs of a classifier that has its logits. */
  public static void outputs(Recorder r, Tensor pooled, Tensor logits) {
    r.output(Backbone.POOLED, pooled);
    r.output(Backbone.LOGITS, logits);
    r.output(Backbone.PROBABILITIES, r.record(Backbone.PROBABILITIES, new Softmax(), logits));
  }
}
