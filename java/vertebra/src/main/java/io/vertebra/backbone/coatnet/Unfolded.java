package io.vertebra.backbone.coatnet;

import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Affine;
import io.vertebra.tensor.Tensor;

/** Intermediate tensors of the published implementation that folding does away with, for tests. */
final class Unfolded {
  private Unfolded() {}

  /** What a tensor was before an affine map that is folded into the layer that made it. */
  static Tensor before(Recorder r, Layers layers, Matrix.Affine affine, Tensor mapped) {
    float[] scale = new float[affine.scale().length];
    float[] shift = new float[scale.length];
    for (int c = 0; c < scale.length; c++) {
      scale[c] = 1 / affine.scale()[c];
      shift[c] = -affine.shift()[c] / affine.scale()[c];
    }
    return r.record("unfolded", new Affine(null, layers.values(scale), layers.values(shift), Activation.IDENTITY),
        mapped);
  }

  /** The same for a layer scale; null for none. */
  static Tensor before(Recorder r, Layers layers, float[] scale, Tensor mapped) {
    return scale == null ? mapped : before(r, layers, new Matrix.Affine(scale, new float[scale.length]), mapped);
  }
}
