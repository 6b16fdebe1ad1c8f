package io.vertebra.backbone.coatnet;

import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Affine;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.RowSource;
import io.vertebra.program.op.Weights;
import io.vertebra.tensor.Tensor;

/**
 * A norm whose kind the configuration chooses: a LayerNorm over the channels of each position, or a BatchNorm with
 * running statistics, which is affine and folds into neighbouring layers.
 *
 * @param layer of a LayerNorm, or null
 * @param affine of a BatchNorm, or null
 * @param scale {@code affine}'s, packed
 * @param shift {@code affine}'s, packed
 */
record ChannelNorm(Norm layer, Matrix.Affine affine, Weights scale, Weights shift) {

  static ChannelNorm layer(Layers layers, String name, int channels, double eps) {
    return new ChannelNorm(layers.norm(name, channels, (float) eps), null, null, null);
  }

  static ChannelNorm batch(Layers layers, String name, int channels, double eps) {
    Matrix.Affine affine = Matrix.Affine.batchNorm(layers.parameters(), name, channels, eps);
    return new ChannelNorm(null, affine, layers.values(affine.scale()), layers.values(affine.shift()));
  }

  boolean isAffine() {
    return affine != null;
  }

  /** The norm, and then {@code activation}. */
  Tensor apply(Recorder r, String name, Tensor in, Activation activation) {
    if (isAffine()) {
      return r.record(name, new Affine(null, scale, shift, activation), in);
    }
    Tensor normed = r.record(name, new LayerNorm(RowSource.norm(layer)), in);
    return activation == Activation.IDENTITY ? normed
        : r.record(name + ".act", new Affine(null, null, null, activation), normed);
  }

  /**
   * {@code matrix} behind this norm, if it is affine; else the matrix alone, which is then to read its rows from
   * {@link #rows}.
   */
  Matrix foldInto(Matrix matrix) {
    return isAffine() ? matrix.after(affine) : matrix;
  }

  /** How a matrix from {@link #foldInto} reads its operand. */
  RowSource rows() {
    return isAffine() ? RowSource.PLAIN : RowSource.norm(layer);
  }
}
