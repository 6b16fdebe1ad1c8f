package io.vertebra.backbone.hornet;

import io.vertebra.tensor.Tensor;
import java.util.List;

/** Checks of what necks take. */
final class PyramidMaps {
  private PyramidMaps() {}

  /** @throws IllegalArgumentException if the maps are not images of one batch with these channels */
  static void check(String neck, List<Tensor> maps, List<Integer> channels) {
    boolean fits = maps.size() == channels.size();
    for (int i = 0; fits && i < maps.size(); i++) {
      fits = maps.get(i).shape().rank() == 4 && maps.get(i).shape().channels() == channels.get(i)
          && maps.get(i).shape().dim(0) == maps.get(0).shape().dim(0);
    }
    if (!fits) {
      throw new IllegalArgumentException(neck + " takes maps [batch, height, width, channels] of " + channels
          + " channels, not " + maps.stream().map(Tensor::shape).toList());
    }
  }
}
