package io.vertebra.backbone.coatnet;

import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.backbone.coatnet.CoAtNetConfig.Conv;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.Window;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.Parameters;

/**
 * A depthwise convolution and an MLP (Liu et al., "A ConvNet for the 2020s", arXiv 2201.03545). In a block that widens,
 * every input channel feeds several outputs of the convolution.
 *
 * <p>Fused: the norm into fc1, GELU behind it, the layer scale and the shortcut's addition into fc2.
 */
final class ConvNextBlock implements Block {
  private static final int KERNEL = 7;

  private final Shortcut shortcut;
  private final DepthwiseConv conv;
  private final Linear fc1;
  private final Linear fc2;

  ConvNextBlock(Conv config, Layers layers, String name, int in, int out, boolean first) {
    Parameters parameters = layers.parameters();
    Backend backend = layers.backend();
    this.shortcut = Shortcut.load(layers, name, first ? Pooling.AVG2 : null, in, out, true);
    this.conv = layers.depthwise(Matrix.of(parameters, name + ".conv_dw", config.outputBias(), out, 1, KERNEL, KERNEL),
        Window.square(KERNEL, first ? 2 : 1, KERNEL / 2), out / in);
    int hidden = (int) (config.expansion() * out);
    this.fc1 = Matrix.of(parameters, name + ".mlp.fc1", true, hidden, out, 1, 1).pack(backend)
        .norm(layers.norm(name + ".norm", out, (float) config.eps())).activation(config.activation());
    float[] scale = config.layerScale() ? parameters.values(name + ".ls.gamma", out) : null;
    this.fc2 = Matrix.of(parameters, name + ".mlp.fc2", true, out, hidden, 1, 1).thenScale(scale).pack(backend);
  }

  @Override
  public Tensor forward(Recorder r, Tensor x) {
    Tensor around = shortcut.project(r, shortcut.pool(r, x));
    Tensor spatial = r.record("conv_dw", conv, x);
    Tensor hidden = r.record("mlp.fc1", fc1, spatial);
    return r.record("mlp.fc2", fc2.residual(around), hidden);
  }
}
