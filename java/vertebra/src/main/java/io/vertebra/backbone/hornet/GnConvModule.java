package io.vertebra.backbone.hornet;

import io.vertebra.backbone.Arguments;
import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.backbone.Matrix.Affine;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Activation;
import io.vertebra.tensor.Size;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.WeightsException;
import java.util.List;
import java.util.Map;

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
   * @param type {@code gnconv}, a depthwise convolution, or {@code gngf}, a global filter
   */
  record Options(String type, int kernel, int order, boolean projectsOut, int dimRatio, Size filter) {
    static Options of(Object value, int defaultKernel) {
      if (!(value instanceof Map<?, ?> map) || !map.keySet().stream().allMatch(String.class::isInstance)) {
        throw new WeightsException("HorFPN configuration: " + value + " does not describe a gnConv module");
      }
      @SuppressWarnings("unchecked")
      Arguments args = new Arguments("HorFPN configuration, gnConv module", (Map<String, ?>) map);
      String type = String.valueOf(args.get("type", "gnconv"));
      if (!type.equals("gnconv") && !type.equals("gngf")) {
        throw new WeightsException("HorFPN configuration: the type of a gnConv module is gnconv or gngf, not " + type);
      }
      int height = args.integer("h", 32);
      Options options = new Options(type, args.integer("kernel_size", defaultKernel), args.integer("order", 2),
          args.flag("proj_out", false), args.integer("dim_ratio", 1),
          new Size(height, args.integer("w", height / 2 + 1)));
      args.finish();
      return options;
    }

    GnConv.Config config(List<Integer> in, int out) {
      return new GnConv.Config(in, out * dimRatio, out, order, kernel, type.equals("gngf") ? filter : null, 1,
          projectsOut);
    }
  }
}
