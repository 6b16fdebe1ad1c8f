package io.vertebra.backbone.coatnet;

import io.vertebra.backbone.Layer;
import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.backbone.RelativePositions;
import io.vertebra.backbone.WeakCache;
import io.vertebra.backbone.coatnet.CoAtNetConfig.Transformer;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Epilogue;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.RowSource;
import io.vertebra.program.op.Weights;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Size;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.Parameters;
import java.util.stream.IntStream;

/**
 * Attention over the whole map with a relative bias, and an MLP.
 *
 * <p>Folded or fused: norm1 into qkv (a LayerNorm before a pooling stays by itself), norm2 into fc1, the layer scales
 * and the additions into proj and fc2. Checkpoints order the channels of qkv (head, q|k|v, d); here they are (q|k|v,
 * head, d).
 */
final class TransformerBlock implements Block {
  private final Transformer config;
  private final Layers layers;
  private final Shortcut shortcut;
  private final ChannelNorm norm1;
  private final Layer qkv;
  private final int heads;
  private final RelativeBias bias;
  private final Layer proj;
  private final float[] scale1;
  private final ChannelNorm norm2;
  private final Layer fc1;
  private final Layer fc2;
  private final float[] scale2;
  private final WeakCache<Size, Weights> biases = new WeakCache<>();

  /** @param map that the model is built for */
  TransformerBlock(Transformer config, Layers layers, String name, int in, int out, boolean first, Size map) {
    Parameters parameters = layers.parameters();
    this.config = config;
    this.layers = layers;
    this.shortcut = Shortcut.load(layers, name, first ? config.pool() : null, in, out, config.shortcutBias());
    this.norm1 = config.norm(layers, name + (first ? ".norm1.norm" : ".norm1"), in);
    int width = config.attentionWidth(in, out);
    this.heads = width / config.headDim();
    Matrix projections
        = Matrix.of(parameters, name + ".attn.qkv", config.attentionBias(), 3 * width, in, 1, 1).rows(checkpointRows());
    this.qkv = (norm1Folds() ? norm1.foldInto(projections) : projections).pack(layers.backend());
    this.bias = config.biasHidden() > 0
        ? RelativeBias.Computed.load(parameters, name + ".attn.rel_pos", config.biasHidden(), heads)
        : RelativeBias.Learned.load(parameters, name + ".attn.rel_pos", map, heads);
    this.scale1 = config.layerScale() ? parameters.values(name + ".ls1.gamma", out) : null;
    this.scale2 = config.layerScale() ? parameters.values(name + ".ls2.gamma", out) : null;
    this.proj = Matrix.of(parameters, name + ".attn.proj", config.attentionBias(), out, width, 1, 1).thenScale(scale1)
        .pack(layers.backend());
    this.norm2 = config.norm(layers, name + ".norm2", out);
    int hidden = (int) (config.expansion() * out);
    this.fc1 = norm2.foldInto(Matrix.of(parameters, name + ".mlp.fc1", true, hidden, out, 1, 1)).pack(layers.backend());
    this.fc2
        = Matrix.of(parameters, name + ".mlp.fc2", true, out, hidden, 1, 1).thenScale(scale2).pack(layers.backend());
  }

  /** For every channel (q|k|v, head, d) the checkpoint's. */
  private int[] checkpointRows() {
    int dim = config.headDim();
    return IntStream.range(0, 3 * heads * dim).map(i -> {
      int part = i / dim / heads;
      int head = i / dim % heads;
      return config.headFirst() ? (head * 3 + part) * dim + i % dim : i;
    }).toArray();
  }

  /** Whether norm1 goes along with qkv; what pools by maximum, or a LayerNorm before any pooling, does not. */
  private boolean norm1Folds() {
    return shortcut.pooling() == null || norm1.isAffine() && shortcut.pooling().commutesWithAffine();
  }

  @Override
  public Tensor forward(Recorder r, Tensor x) {
    Tensor pooled = shortcut.pool(r, x);
    Tensor around = shortcut.project(r, pooled);
    Tensor in = norm1Folds() ? pooled : norm1(r, x);
    Size map = new Size(in.shape().dim(1), in.shape().dim(2));
    Tensor projected = r.record("attn.qkv",
        new Linear(norm1Folds() ? norm1.rows() : RowSource.PLAIN, qkv.weights(), qkv.epilogue()), in);
    Tensor heard = r.record("attn", new WindowAttention(map.area(), heads, config.headDim(),
        (float) (1 / Math.sqrt(config.headDim())), biases.get(map, () -> bias(map)), null), projected);
    Tensor y
        = r.record("attn.proj", new Linear(RowSource.PLAIN, proj.weights(), proj.epilogue().residual(around)), heard);
    Tensor hidden = r.record("mlp.fc1",
        new Linear(norm2.rows(), fc1.weights(), fc1.epilogue().activation(config.activation())), y);
    Tensor out = r.record("mlp.fc2", new Linear(RowSource.PLAIN, fc2.weights(), fc2.epilogue().residual(y)), hidden);

    r.output("norm1", () -> norm1(r, x));
    r.output("attn.qkv", () -> inCheckpointOrder(r, projected));
    r.output("attn", () -> Unfolded.before(r, layers, scale1,
        r.record("attn.unfused", new Linear(RowSource.PLAIN, proj.weights(), proj.epilogue()), heard)));
    r.output("norm2", () -> norm2.apply(r, "norm2", y, Activation.IDENTITY));
    r.output("mlp", () -> Unfolded.before(r, layers, scale2,
        r.record("mlp.unfused", new Linear(RowSource.PLAIN, fc2.weights(), fc2.epilogue()), hidden)));
    bias.outputs(r, map);
    return out;
  }

  private Tensor norm1(Recorder r, Tensor x) {
    Tensor normed = norm1.apply(r, "norm1", x, Activation.IDENTITY);
    return shortcut.pooling() == null ? normed : shortcut.pooling().apply(r, "norm1.pool", normed);
  }

  private Weights bias(Size map) {
    return RelativePositions.pack(layers.backend(), heads, map, () -> bias.table(map));
  }

  private Tensor inCheckpointOrder(Recorder r, Tensor projected) {
    int[] rows = checkpointRows();
    float[] permutation = new float[rows.length * rows.length];
    IntStream.range(0, rows.length).forEach(i -> permutation[rows[i] * rows.length + i] = 1);
    Weights matrix
        = layers.backend().packMatrix(Parameter.of("permutation", Shape.of(rows.length, rows.length), permutation));
    return r.record("attn.qkv.reordered", new Linear(RowSource.PLAIN, matrix, Epilogue.bias(null)), projected);
  }
}
