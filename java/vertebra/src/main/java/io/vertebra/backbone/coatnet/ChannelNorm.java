package io.vertebra.backbone.coatnet;

import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Affine;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.Norm;
import io.vertebra.tensor.Tensor;

/**
 * A norm whose kind the configuration chooses: a LayerNorm over the channels of each position, or a BatchNorm with
 * running statistics, which is affine and folds into neighbouring layers.
 *
 * @param layer of a LayerNorm, or null
 * @param affine of a BatchNorm, or null
 * @param op {@code affine}, packed
 */
record ChannelNorm(Norm layer, Matrix.Affine affine, Affine op) {

  static ChannelNorm layer(Layers layers, String name, int channels, double eps) {
    return new ChannelNorm(layers.norm(name, channels, (float) eps), null, null);
  }

  static ChannelNorm batch(Layers layers, String name, int channels, double eps) {
    Matrix.Affine affine = Matrix.Affine.batchNorm(layers.parameters(), name, channels, eps);
    return new ChannelNorm(null, affine, Affine.of(layers.values(affine.scale()), layers.values(affine.shift())));
  }

  boolean isAffine() {
    return affine != null;
  }

  Tensor record(Recorder r, String name, Tensor in) {
    return r.record(name, isAffine() ? op : LayerNorm.of(layer), in);
  }

  /** {@code matrix} with this norm before it: folded into the weights, or into how rows are read. */
  Linear before(Matrix matrix, Backend backend) {
    return isAffine() ? matrix.after(affine).pack(backend) : matrix.pack(backend).norm(layer);
  }
}
