package io.vertebra.backbone;

import io.vertebra.backend.Backend;
import io.vertebra.weights.ParameterSource;

/** A neck before it has weights: all that its parameters' names and shapes follow from. Immutable. */
public interface NeckArchitecture {
  /**
   * Packs the weights for a backend.
   *
   * @param source with the neck's parameters alone, or among those of a whole detector or segmentor
   * @throws io.vertebra.weights.WeightsException listing by name the parameters that are missing, unexpected or of
   *   another shape
   */
  Neck load(ParameterSource source, Backend backend);
}
