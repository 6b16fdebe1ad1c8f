package io.vertebra.backbone.coatnet;

import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Linear;
import io.vertebra.tensor.Tensor;

/**
 * What a block adds its result to: the input, or in a block that halves the map the pooled input, projected to the new
 * width.
 *
 * @param pooling null where the map stays
 * @param expand null where the width stays
 */
record Shortcut(Pooling pooling, Linear expand) {

  static Shortcut load(Layers layers, String name, Pooling pooling, int in, int out, boolean bias) {
    Linear expand = in == out ? null
        : Matrix.of(layers.parameters(), name + ".shortcut.expand", bias, out, in, 1, 1).pack(layers.backend());
    return new Shortcut(pooling, expand);
  }

  Tensor pool(Recorder r, Tensor x) {
    return pooling == null ? x : pooling.apply(r, "shortcut.pool", x);
  }

  /** @param pooled from {@link #pool} */
  Tensor project(Recorder r, Tensor pooled) {
    return expand == null ? pooled : r.record("shortcut.expand", expand, pooled);
  }
}
