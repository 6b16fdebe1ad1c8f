package io.vertebra.backbone.coatnet;

import io.vertebra.backbone.Layer;
import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.RowSource;
import io.vertebra.tensor.Tensor;

/**
 * What a block adds its result to: the input, or in a block that halves the map the pooled input, projected to the new
 * width.
 *
 * @param pooling null where the map stays
 * @param expand null where the width stays
 */
record Shortcut(Pooling pooling, Layer expand) {

  static Shortcut load(Layers layers, String name, Pooling pooling, int in, int out, boolean bias) {
    Layer expand = in == out ? null
        : Matrix.of(layers.parameters(), name + ".shortcut.expand", bias, out, in, 1, 1).pack(layers.backend());
    return new Shortcut(pooling, expand);
  }

  Tensor pool(Recorder r, Tensor x) {
    return pooling == null ? x : pooling.apply(r, "shortcut.pool", x);
  }

  /** @param pooled from {@link #pool} */
  Tensor project(Recorder r, Tensor pooled) {
    Tensor shortcut = expand == null ? pooled
        : r.record("shortcut.expand", new Linear(RowSource.PLAIN, expand.weights(), expand.epilogue()), pooled);
    r.output("shortcut", shortcut);
    return shortcut;
  }
}
