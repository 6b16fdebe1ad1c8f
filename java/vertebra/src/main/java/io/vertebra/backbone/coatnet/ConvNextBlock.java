package io.vertebra.backbone.coatnet;

import io.vertebra.backbone.Layer;
import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.backbone.coatnet.CoAtNetConfig.Conv;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.RowSource;
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

  private final Conv config;
  private final Layers layers;
  private final Shortcut shortcut;
  private final Layer conv;
  private final int stride;
  private final int multiplier;
  private final Norm norm;
  private final Layer fc1;
  private final Layer fc2;
  private final float[] scale;

  ConvNextBlock(Conv config, Layers layers, String name, int in, int out, boolean first) {
    Parameters parameters = layers.parameters();
    this.config = config;
    this.layers = layers;
    this.shortcut = Shortcut.load(layers, name, first ? Pooling.AVG2 : null, in, out, true);
    this.stride = first ? 2 : 1;
    this.multiplier = out / in;
    this.conv = layers.depthwise(Matrix.of(parameters, name + ".conv_dw", config.outputBias(), out, 1, KERNEL, KERNEL));
    this.norm = layers.norm(name + ".norm", out, (float) config.eps());
    int hidden = (int) (config.expansion() * out);
    this.fc1 = Matrix.of(parameters, name + ".mlp.fc1", true, hidden, out, 1, 1).pack(layers.backend());
    this.scale = config.layerScale() ? parameters.values(name + ".ls.gamma", out) : null;
    this.fc2
        = Matrix.of(parameters, name + ".mlp.fc2", true, out, hidden, 1, 1).thenScale(scale).pack(layers.backend());
  }

  @Override
  public Tensor forward(Recorder r, Tensor x) {
    Tensor around = shortcut.project(r, shortcut.pool(r, x));
    Tensor spatial = r.record("conv_dw", new DepthwiseConv(conv.weights(), conv.bias(),
        Window.square(KERNEL, stride, KERNEL / 2), 0, multiplier, Activation.IDENTITY), x);
    Tensor hidden = r.record("mlp.fc1",
        new Linear(RowSource.norm(norm), fc1.weights(), fc1.epilogue().activation(config.activation())), spatial);
    Tensor out
        = r.record("mlp.fc2", new Linear(RowSource.PLAIN, fc2.weights(), fc2.epilogue().residual(around)), hidden);

    r.output("conv_dw", spatial);
    r.output("norm", () -> r.record("norm", new LayerNorm(RowSource.norm(norm)), spatial));
    r.output("mlp", () -> Unfolded.before(r, layers, scale,
        r.record("mlp.unfused", new Linear(RowSource.PLAIN, fc2.weights(), fc2.epilogue()), hidden)));
    return out;
  }
}
