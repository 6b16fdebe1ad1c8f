package io.vertebra.backbone.hornet;

import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.Renamed;
import java.util.Comparator;

/** The parameters of a part of a detector or segmentor, as open-mmlab's frameworks name them. */
final class NeckCheckpoint {
  private NeckCheckpoint() {}

  /**
   * The parameters under {@code prefix}, without it and without the counters of batch norms; if there are none, all of
   * the source's.
   *
   * @param first a parameter that the part has in any case
   */
  static ParameterSource part(ParameterSource source, String prefix, String first) {
    String found
        = source.names().stream().filter(name -> name.equals(prefix + first) || name.endsWith("." + prefix + first))
            .min(Comparator.comparingInt(String::length)).map(name -> name.substring(0, name.length() - first.length()))
            .orElse("");
    return Renamed.of(source, name -> !name.startsWith(found) || name.endsWith(".num_batches_tracked") ? null
        : name.substring(found.length()));
  }
}
