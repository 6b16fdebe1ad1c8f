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
   * Records the dense backbone, whose outputs are {@link Signature#featureNames()},
   * {@code [batch, (frames,) height, width, channels]} each.
   */
  void features(Recorder recorder);

  /** What goes in and comes out; the same object every time, so that a steady run allocates nothing. */
  Signature signature();

  /**
   * @param inputChannels channels of the input image
   * @param embeddingWidth channels of {@link #POOLED}; 0 if the weights have no final norm, as those of dense backbones
   * @param classes their number; 0 without a classifier
   * @param featureNames outputs of {@link #features}, finest first
   * @param featureStrides input pixels per feature map pixel, for each of {@code featureNames}
   */
  record Signature(int inputChannels, int embeddingWidth, int classes, List<String> featureNames,
      List<Integer> featureStrides) {}

  default int inputChannels() {
    return signature().inputChannels();
  }

  default int embeddingWidth() {
    return signature().embeddingWidth();
  }

  default int classes() {
    return signature().classes();
  }

  default List<String> featureNames() {
    return signature().featureNames();
  }

  default List<Integer> featureStrides() {
    return signature().featureStrides();
  }
}
