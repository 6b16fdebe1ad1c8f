package io.vertebra.backbone;

import io.vertebra.weights.ParameterSource;
import java.util.List;

/** A published family of models: its variants, and how its checkpoints are recognised. */
public interface Family {
  /** {@code swin}. */
  String name();

  /** Published models, small to large. */
  List<Variant> variants();

  /** Whether the parameters' names are this family's. */
  boolean matches(ParameterSource source);

  /**
   * The configuration a checkpoint's metadata states, or else its names and shapes imply.
   *
   * @throws io.vertebra.weights.WeightsException if they do not determine one
   */
  Architecture recognise(ParameterSource source);
}
