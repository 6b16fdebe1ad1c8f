package io.vertebra.backbone.coatnet;

import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.backbone.RelativePositions;
import io.vertebra.backbone.WeakCache;
import io.vertebra.backbone.coatnet.CoAtNetConfig.Transformer;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.Weights;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.tensor.Size;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.Parameters;

/**
 * Attention over the whole map with a relative bias, and an MLP.
 *
 * <p>Folded or fused: norm1 into qkv (a LayerNorm before a pooling stays by itself), norm2 into fc1, the layer scales
 * and the additions into proj and fc2. Checkpoints order the channels of qkv (head, q|k|v, d); here they are (q|k|v,
 * head, d).
 */
final class TransformerBlock implements Block {
  private final Transformer config;
  private final Backend backend;
  private final Shortcut shortcut;
  /** Null where it goes along with qkv. */
  private final ChannelNorm norm1;
  private final Linear qkv;
  private final int heads;
  private final RelativeBias bias;
  private final Linear proj;
  private final Linear fc1;
  private final Linear fc2;
  private final WeakCache<Size, Weights> biases = new WeakCache<>();

  /** @param map that the model is built for */
  TransformerBlock(Transformer config, Layers layers, String name, int in, int out, boolean first, Size map) {
    Parameters parameters = layers.parameters();
    this.config = config;
    this.backend = layers.backend();
    this.shortcut = Shortcut.load(layers, name, first ? config.pool() : null, in, out, config.shortcutBias());
    ChannelNorm before = config.norm(layers, name + (first ? ".norm1.norm" : ".norm1"), in);
    // What pools by maximum, or a LayerNorm before any pooling, stays by itself.
    boolean folds = !first || before.isAffine() && config.pool().commutesWithAffine();
    this.norm1 = folds ? null : before;
    int width = config.attentionWidth(in, out);
    this.heads = width / config.headDim();
    Matrix projections = Matrix.of(parameters, name + ".attn.qkv", config.attentionBias(), 3 * width, in, 1, 1)
        .rows(config.checkpointRows(heads));
    this.qkv = folds ? before.before(projections, backend) : projections.pack(backend);
    this.bias = config.biasHidden() > 0
        ? RelativeBias.Computed.load(parameters, name + ".attn.rel_pos", config.biasHidden(), heads)
        : RelativeBias.Learned.load(parameters, name + ".attn.rel_pos", map, heads);
    float[] scale1 = config.layerScale() ? parameters.values(name + ".ls1.gamma", out) : null;
    float[] scale2 = config.layerScale() ? parameters.values(name + ".ls2.gamma", out) : null;
    this.proj = Matrix.of(parameters, name + ".attn.proj", config.attentionBias(), out, width, 1, 1).thenScale(scale1)
        .pack(backend);
    int hidden = (int) (config.expansion() * out);
    this.fc1 = config.norm(layers, name + ".norm2", out)
        .before(Matrix.of(parameters, name + ".mlp.fc1", true, hidden, out, 1, 1), backend)
        .activation(config.activation());
    this.fc2 = Matrix.of(parameters, name + ".mlp.fc2", true, out, hidden, 1, 1).thenScale(scale2).pack(backend);
  }

  @Override
  public Tensor forward(Recorder r, Tensor x) {
    Tensor pooled = shortcut.pool(r, x);
    Tensor around = shortcut.project(r, pooled);
    Tensor in = norm1 == null ? pooled : shortcut.pooling().apply(r, "norm1.pool", norm1.record(r, "norm1", x));
    Tensor projected = r.record("attn.qkv", qkv, in);
    Tensor attended = r.record("attn", attention(new Size(in.shape().dim(1), in.shape().dim(2))), projected);
    Tensor y = r.record("attn.proj", proj.residual(around), attended);
    Tensor hidden = r.record("mlp.fc1", fc1, y);
    return r.record("mlp.fc2", fc2.residual(y), hidden);
  }

  private WindowAttention attention(Size map) {
    Weights biasOfMap = biases.get(map, () -> RelativePositions.pack(backend, heads, map, () -> bias.table(map)));
    return new WindowAttention(map.area(), heads, config.headDim(), (float) (1 / Math.sqrt(config.headDim())),
        biasOfMap, null);
  }
}
