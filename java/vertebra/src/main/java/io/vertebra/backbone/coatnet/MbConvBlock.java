package io.vertebra.backbone.coatnet;

import io.vertebra.backbone.Layer;
import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.backbone.coatnet.CoAtNetConfig.Conv;
import io.vertebra.backbone.coatnet.CoAtNetConfig.Stride;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Affine;
import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.MeanPool;
import io.vertebra.program.op.RowSource;
import io.vertebra.program.op.Window;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.Parameters;

/**
 * An inverted residual with squeeze and excitation (Sandler et al., "MobileNetV2", arXiv 1801.04381; Hu et al.,
 * "Squeeze-and-Excitation Networks", arXiv 1709.01507).
 *
 * <p>Folded: pre_norm into conv1_1x1 unless an activation or a maximum comes between, norm1 into conv1_1x1, norm2 into
 * conv2_kxk or, if the excitation comes first, into its multiplication. Fused: the activations, the shortcut's
 * addition.
 */
final class MbConvBlock implements Block {
  private final Conv config;
  private final Layers layers;
  private final Shortcut shortcut;
  private final Pooling branchPool;
  private final ChannelNorm preNorm;
  private final boolean preNormFolded;
  private final Layer conv1;
  private final int conv1Stride;
  private final Matrix.Affine norm1;
  private final Layer conv2;
  private final Window window;
  private final ChannelNorm norm2;
  private final Layer squeeze;
  private final Layer excite;
  private final Layer conv3;

  MbConvBlock(Conv config, Layers layers, String name, int in, int out, boolean first) {
    Parameters parameters = layers.parameters();
    this.config = config;
    this.layers = layers;
    this.shortcut = Shortcut.load(layers, name, first ? config.shortcutPool() : null, in, out, config.outputBias());
    this.branchPool = first && config.stride() == Stride.POOL ? config.branchPool() : null;
    this.conv1Stride = first && config.stride() == Stride.CONV_1X1 ? 2 : 1;
    int hidden = config.hidden(in, out);
    this.preNorm = ChannelNorm.batch(layers, name + ".pre_norm", in, config.eps());
    this.preNormFolded = !config.preNormActivation() && (branchPool == null || branchPool.commutesWithAffine());
    Matrix expansion = Matrix.of(parameters, name + ".conv1_1x1", false, hidden, in, 1, 1);
    this.norm1 = Matrix.Affine.batchNorm(parameters, name + ".norm1", hidden, config.eps());
    this.conv1 = (preNormFolded ? preNorm.foldInto(expansion) : expansion).then(norm1).pack(layers.backend());
    Matrix depthwise = Matrix.of(parameters, name + ".conv2_kxk", false, hidden, 1, config.kernel(), config.kernel());
    this.norm2 = ChannelNorm.batch(layers, name + ".norm2", hidden, config.eps());
    this.conv2 = layers.depthwise(config.earlyExcitation() ? depthwise : depthwise.then(norm2.affine()));
    this.window
        = Window.square(config.kernel(), first && config.stride() == Stride.DEPTHWISE ? 2 : 1, config.kernel() / 2);
    String excitation = name + (config.earlyExcitation() ? ".se_early" : ".se");
    int squeezed = config.squeezed(in, out);
    this.squeeze = Matrix.of(parameters, excitation + ".fc1", true, squeezed, hidden, 1, 1).pack(layers.backend());
    this.excite = Matrix.of(parameters, excitation + ".fc2", true, hidden, squeezed, 1, 1).pack(layers.backend());
    this.conv3
        = Matrix.of(parameters, name + ".conv3_1x1", config.outputBias(), out, hidden, 1, 1).pack(layers.backend());
  }

  @Override
  public Tensor forward(Recorder r, Tensor x) {
    Tensor pooled = shortcut.pool(r, x);
    Tensor around = shortcut.project(r, pooled);
    Tensor down = down(r, x, pooled);
    Tensor expanded = expand(r, down, config.activation());
    boolean early = config.earlyExcitation();
    Tensor spatial = convolve(r, expanded, early ? Activation.IDENTITY : config.activation());
    Tensor mean = r.record("se.mean", new MeanPool(), spatial);
    Tensor squeezed = r.record("se.fc1",
        new Linear(RowSource.PLAIN, squeeze.weights(), squeeze.epilogue().activation(config.excitationActivation())),
        mean);
    Tensor gate = r.record("se.fc2",
        new Linear(RowSource.PLAIN, excite.weights(), excite.epilogue().activation(Activation.SIGMOID)), squeezed);
    Tensor excited = r.record("se", early ? new Affine(gate, norm2.scale(), norm2.shift(), config.activation())
        : new Affine(gate, null, null, Activation.IDENTITY), spatial);
    Tensor out = r.record("conv3_1x1", new Linear(RowSource.PLAIN, conv3.weights(), conv3.epilogue().residual(around)),
        excited);

    r.output("pre_norm", () -> preNorm(r, x));
    r.output("down", () -> branchPool == null ? preNorm(r, x) : branchPool.apply(r, "down", preNorm(r, x)));
    r.output("conv1_1x1", () -> Unfolded.before(r, layers, norm1, expand(r, down, Activation.IDENTITY)));
    r.output("norm1", expanded);
    r.output("conv2_kxk",
        () -> early ? spatial : Unfolded.before(r, layers, norm2.affine(), convolve(r, expanded, Activation.IDENTITY)));
    r.output("norm2", early ? excited : spatial);
    r.output("se", excited);
    r.output("se_early", () -> r.record("se_early", new Affine(gate, null, null, Activation.IDENTITY), spatial));
    r.output("conv3_1x1",
        () -> r.record("conv3.unfused", new Linear(RowSource.PLAIN, conv3.weights(), conv3.epilogue()), excited));
    return out;
  }

  /** What conv1_1x1 reads: normalised unless that is folded, pooled if this block strides by pooling. */
  private Tensor down(Recorder r, Tensor x, Tensor pooled) {
    if (preNormFolded && branchPool == shortcut.pooling()) {
      return pooled;
    }
    Tensor normed = preNormFolded ? x : preNorm(r, x);
    return branchPool == null ? normed : branchPool.apply(r, "down", normed);
  }

  private Tensor preNorm(Recorder r, Tensor x) {
    return preNorm.apply(r, "pre_norm", x, config.preNormActivation() ? config.activation() : Activation.IDENTITY);
  }

  private Tensor expand(Recorder r, Tensor x, Activation activation) {
    Window single = Window.square(1, conv1Stride, 0);
    RowSource rows = conv1Stride == 1 ? RowSource.PLAIN : new RowSource(single.rows(x.shape()), null);
    Shape out = single.slide(x.shape(), conv1.weights().shape().dim(0));
    return r.record("conv1_1x1", new Linear(rows, conv1.weights(), conv1.epilogue().activation(activation)), x, out);
  }

  private Tensor convolve(Recorder r, Tensor x, Activation activation) {
    return r.record("conv2_kxk", new DepthwiseConv(conv2.weights(), conv2.bias(), window, 0, 1, activation), x);
  }
}
