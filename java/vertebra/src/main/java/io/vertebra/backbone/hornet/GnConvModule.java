package io.vertebra.backbone.hornet;

import io.vertebra.backbone.Arguments;
import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.backbone.Matrix.Affine;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Activation;
import io.vertebra.tensor.Size;
import io.vertebra.tensor.Tensor;
import java.util.List;

/**
 * The gated convolution of HorFPN in the place of an ordinary one: no scale, with batch norm and activation behind if
 * the neck has them.
 */
final class GnConvModule {
  static final double BATCH_NORM_EPS = 1e-5;

  private final GnConv gnconv;
  private final Activation activation;

  /** Reads the gated convolution's parameters and, if {@code batchNorm}, {@code bn}. */
  GnConvModule(Layers layers, String prefix, GnConv.Config config, boolean batchNorm, Activation activation) {
    this.gnconv = new GnConv(layers, prefix, config, null,
        projection -> batchNorm(layers, projection, prefix + "bn", batchNorm));
    this.activation = activation;
  }

  private static Matrix batchNorm(Layers layers, Matrix matrix, String name, boolean present) {
    return present ? matrix.then(Affine.batchNorm(layers.parameters(), name, matrix.out(), BATCH_NORM_EPS)) : matrix;
  }

  /**
   * An ordinary convolution {@code NAME.conv [out, in, size, size]}: with {@code NAME.bn} if {@code batchNorm}, with a
   * bias otherwise.
   */
  static Matrix convolution(Layers layers, String name, int out, int in, int size, boolean batchNorm) {
    return batchNorm(layers, Matrix.of(layers.parameters(), name + ".conv", !batchNorm, out, in, size, size),
        name + ".bn", batchNorm);
  }

  /** @param inputs the parts of the input, side by side */
  Tensor forward(Recorder r, List<Tensor> inputs) {
    return r.record("proj_out", gnconv.projOut().activation(activation), gnconv.gate(r, inputs));
  }

  /**
   * The module's options, which are the same for the neck and the head but for some defaults.
   *
   * @param filtered by a global filter ({@code gngf}), or else a depthwise convolution ({@code gnconv})
   */
  record Options(boolean filtered, int kernel, int order, boolean projectsOut, int dimRatio, Size filter) {
    static Options of(Arguments args, int defaultKernel) {
      boolean filtered = args.choice("type", "gnconv", "gngf") == 1;
      int height = args.integer("h", 32);
      Options options = new Options(filtered, args.integer("kernel_size", defaultKernel), args.integer("order", 2),
          args.flag("proj_out", false), args.integer("dim_ratio", 1),
          new Size(height, args.integer("w", height / 2 + 1)));
      args.finish();
      return options;
    }

    GnConv.Config config(List<Integer> in, int out) {
      return new GnConv.Config(in, out * dimRatio, out, order, kernel, filtered ? filter : null, 1, projectsOut);
    }
  }
}
