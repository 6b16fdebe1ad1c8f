package io.vertebra.backbone;

import io.vertebra.program.Recorder;
import java.util.List;

/**
 * A loaded model family: weights packed for a backend, and straight-line forward passes over them. Immutable and
 * thread-safe. Forward passes take {@link Recorder#input()}, {@code [batch, (frames,) height, width, channels]}, of any
 * size the published model accepts, and throw {@link IllegalArgumentException} naming the size for one it refuses.
 */
public interface Backbone {
  /** Output of {@link #forward}: the embedding, {@code [batch, embeddingWidth]}. */
  String POOLED = "pooled";

  /** Output of {@link #forward}: {@code [batch, classes]}. */
  String LOGITS = "logits";

  /** Output of {@link #forward}: the softmax of the logits. */
  String PROBABILITIES = "probabilities";

  /**
   * Records the classifier. Names {@link #POOLED}, {@link #LOGITS} and {@link #PROBABILITIES}, and intermediate tensors
   * by the reference's names.
   */
  void forward(Recorder recorder);

  /**
   * Records the dense backbone, whose outputs are {@link #featureNames()},
   * {@code [batch, (frames,) height, width, channels]} each.
   */
  void features(Recorder recorder);

  /** Outputs of {@link #features}, finest first. */
  List<String> featureNames();

  /** Input pixels per feature map pixel, for each of {@link #featureNames()}. */
  List<Integer> featureStrides();

  /** Channels of the input image. */
  int inputChannels();

  /** Channels of {@link #POOLED}; 0 if the weights have no final norm, as those of dense backbones. */
  int embeddingWidth();

  /** Number of classes; 0 without a classifier. */
  int classes();
}
