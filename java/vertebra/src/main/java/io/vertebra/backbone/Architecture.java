package io.vertebra.backbone;

import io.vertebra.backend.Backend;
import io.vertebra.image.Preprocessing;
import io.vertebra.weights.ParameterSource;

/** A model of one family before it has weights: all that its parameters' names and shapes follow from. Immutable. */
public interface Architecture {
  /** {@code swin}. */
  String family();

  /** Height of the input the model is built for, in pixels. */
  int inputHeight();

  /** Width of the input the model is built for, in pixels. */
  int inputWidth();

  /** Frames of the clips the model is built for; 0: it takes images. */
  default int inputFrames() {
    return 0;
  }

  /** Number of classes; 0 without a classifier. */
  int classes();

  /**
   * Multiply-accumulates for one input of the size the model is built for that the published forward pass spends and
   * this one, with the same result, does not.
   */
  default long savedMacs() {
    return 0;
  }

  /** How the published evaluation turns images into input of that size. */
  Preprocessing preprocessing();

  /** The same model with what a checkpoint settles: its number of classes, the conventions of its layout. */
  Architecture adaptTo(ParameterSource source);

  /**
   * Packs the weights for a backend.
   *
   * @throws io.vertebra.weights.WeightsException listing by name the parameters that are missing, unexpected or of
   *   another shape
   */
  Backbone load(ParameterSource source, Backend backend);
}
