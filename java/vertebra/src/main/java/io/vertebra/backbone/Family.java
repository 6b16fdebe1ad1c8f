package io.vertebra.backbone;

import io.vertebra.weights.ParameterSource;
import java.util.List;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * A published family of models: its variants, and how its checkpoints are recognised.
 *
 * @param name {@code swin}
 * @param variants published models, small to large
 * @param matches whether the parameters' names are this family's
 * @param recognise the configuration a checkpoint's metadata states, or else its names and shapes imply; throws
 *   {@link io.vertebra.weights.WeightsException} if they do not determine one
 */
public record Family(String name, List<Variant> variants, Predicate<ParameterSource> matches,
    Function<ParameterSource, Architecture> recognise) {
  public Family {
    variants = List.copyOf(variants);
  }
}
