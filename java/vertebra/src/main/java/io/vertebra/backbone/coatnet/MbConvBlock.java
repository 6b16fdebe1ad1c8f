package io.vertebra.backbone.coatnet;

import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.backbone.StridedConv;
import io.vertebra.backbone.coatnet.CoAtNetConfig.Conv;
import io.vertebra.backbone.coatnet.CoAtNetConfig.Stride;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Affine;
import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.MeanPool;
import io.vertebra.program.op.Window;
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
  private final Shortcut shortcut;
  private final Pooling branchPool;
  private final Affine preNorm;
  private final StridedConv conv1;
  private final DepthwiseConv conv2;
  private final Affine excitation;
  private final Linear squeeze;
  private final Linear excite;
  private final Linear conv3;

  MbConvBlock(Conv config, Layers layers, String name, int in, int out, boolean first) {
    Parameters parameters = layers.parameters();
    Backend backend = layers.backend();
    this.shortcut = Shortcut.load(layers, name, first ? config.shortcutPool() : null, in, out, config.outputBias());
    this.branchPool = first && config.stride() == Stride.POOL ? config.branchPool() : null;
    int hidden = config.hidden(in, out);
    ChannelNorm before = ChannelNorm.batch(layers, name + ".pre_norm", in, config.eps());
    boolean folds = !config.preNormActivation() && (branchPool == null || branchPool.commutesWithAffine());
    this.preNorm
        = folds ? null : before.op().activation(config.preNormActivation() ? config.activation() : Activation.IDENTITY);
    Matrix expansion = Matrix.of(parameters, name + ".conv1_1x1", false, hidden, in, 1, 1);
    Matrix.Affine norm1 = Matrix.Affine.batchNorm(parameters, name + ".norm1", hidden, config.eps());
    Linear expand = (folds ? expansion.after(before.affine()) : expansion).then(norm1).pack(backend);
    this.conv1 = new StridedConv(expand.activation(config.activation()),
        Window.square(1, first && config.stride() == Stride.CONV_1X1 ? 2 : 1, 0));
    Matrix depthwise = Matrix.of(parameters, name + ".conv2_kxk", false, hidden, 1, config.kernel(), config.kernel());
    ChannelNorm after = ChannelNorm.batch(layers, name + ".norm2", hidden, config.eps());
    boolean early = config.earlyExcitation();
    Window window
        = Window.square(config.kernel(), first && config.stride() == Stride.DEPTHWISE ? 2 : 1, config.kernel() / 2);
    this.conv2 = early ? layers.depthwise(depthwise, window, 1)
        : layers.depthwise(depthwise.then(after.affine()), window, 1).activation(config.activation());
    this.excitation = early ? after.op().activation(config.activation()) : Affine.of(null, null);
    String squeezing = name + (early ? ".se_early" : ".se");
    int squeezed = config.squeezed(in, out);
    this.squeeze = Matrix.of(parameters, squeezing + ".fc1", true, squeezed, hidden, 1, 1).pack(backend)
        .activation(config.excitationActivation());
    this.excite = Matrix.of(parameters, squeezing + ".fc2", true, hidden, squeezed, 1, 1).pack(backend)
        .activation(Activation.SIGMOID);
    this.conv3 = Matrix.of(parameters, name + ".conv3_1x1", config.outputBias(), out, hidden, 1, 1).pack(backend);
  }

  @Override
  public Tensor forward(Recorder r, Tensor x) {
    Tensor pooled = shortcut.pool(r, x);
    Tensor around = shortcut.project(r, pooled);
    Tensor expanded = conv1.record(r, "conv1_1x1", down(r, x, pooled));
    Tensor spatial = r.record("conv2_kxk", conv2, expanded);
    Tensor squeezed = r.record("se.fc1", squeeze, r.record("se.mean", new MeanPool(), spatial));
    Tensor gate = r.record("se.fc2", excite, squeezed);
    Tensor excited = r.record("se", excitation.factor(gate), spatial);
    return r.record("conv3_1x1", conv3.residual(around), excited);
  }

  /** What conv1_1x1 reads: normalised unless that is folded, pooled if this block strides by pooling. */
  private Tensor down(Recorder r, Tensor x, Tensor pooled) {
    if (preNorm == null && branchPool == shortcut.pooling()) {
      return pooled;
    }
    Tensor normed = preNorm == null ? x : r.record("pre_norm", preNorm, x);
    return branchPool == null ? normed : branchPool.apply(r, "down", normed);
  }
}
