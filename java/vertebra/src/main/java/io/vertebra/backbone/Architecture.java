package io.vertebra.backbone;

import io.vertebra.backend.Backend;
import io.vertebra.image.Preprocessing;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Size;
import io.vertebra.weights.ParameterSource;

/** A model of one family before it has weights: all that its parameters' names and shapes follow from. Immutable. */
public interface Architecture {
  /** {@code swin}. */
  String family();

  /** Height and width of the input the model is built for, in pixels. */
  Size image();

  /** Channels of the input. */
  int channels();

  /** Frames of the clips the model is built for; 0: it takes images. */
  default int frames() {
    return 0;
  }

  /** A batch the model is built for, {@code [batch, (frames,) height, width, channels]}. */
  default Shape input(int batch) {
    return frames() > 0 ? Shape.of(batch, frames(), image().rows(), image().columns(), channels())
        : Shape.of(batch, image().rows(), image().columns(), channels());
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
