package io.vertebra.backbone.uniformer;

import io.vertebra.backbone.Backbone;
import io.vertebra.backbone.Layer;
import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.backbone.WindowPartition;
import io.vertebra.backbone.uniformer.UniFormerConfig.Kind;
import io.vertebra.backbone.uniformer.UniFormerLayers.Convolution;
import io.vertebra.backbone.uniformer.UniFormerLayers.Embedding;
import io.vertebra.backbone.uniformer.UniFormerLayers.GlobalBlock;
import io.vertebra.backbone.uniformer.UniFormerLayers.LocalBlock;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Affine;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.MeanPool;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.RowSource;
import io.vertebra.program.op.Softmax;
import io.vertebra.program.op.Weights;
import io.vertebra.program.op.Window;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.program.op.WindowPool;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Size;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.Parameters;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * UniFormer (Li et al., "UniFormer: Unifying Convolution and Self-attention for Visual Recognition", arXiv 2201.09450,
 * and "UniFormer: Unified Transformer for Efficient Spatiotemporal Representation Learning", arXiv 2201.04676): image,
 * token labelling and video classifiers, dense and pose backbones, and the light models, whose stages 3 and 4 are in
 * {@link TokenHourglass}.
 *
 * <p>Fused, besides what {@link UniFormerLayers} folds: norm1 and the partition into windows into qkv, the reverse
 * partition and the residual into proj, norm2 into fc1 and GELU behind it, the residual into fc2 and conv2.
 */
public final class UniFormer implements Backbone {
  private static final int STAGES = 4;

  private final UniFormerConfig config;
  private final List<Embedding> embeddings = new ArrayList<>();
  private final List<List<LocalBlock>> localBlocks = new ArrayList<>();
  private final List<List<GlobalBlock>> globalBlocks = new ArrayList<>();
  private final TokenHourglass hourglass;
  private final Affine norm;
  private final Layer head;
  private final Auxiliary auxiliary;
  private final List<Norm> featureNorms = new ArrayList<>();

  /** The head over tokens of token labelling, with the final norm in it. */
  private record Auxiliary(Layer head, Weights half) {}

  /** Packs the weights for {@code backend}; {@code parameters} take the official names. */
  UniFormer(UniFormerConfig config, Parameters parameters, Backend backend) {
    this.config = config;
    Layers layers = new Layers(parameters, backend);
    UniFormerLayers loader = new UniFormerLayers(config, layers);
    Kind kind = config.kind();
    for (int stage = 0; stage < STAGES; stage++) {
      embeddings.add(loader.embedding(stage));
      localBlocks.add(new ArrayList<>());
      globalBlocks.add(new ArrayList<>());
      for (int i = 0; i < config.depths().get(stage); i++) {
        if (stage < 2) {
          localBlocks.get(stage).add(loader.localBlock(stage, i));
        } else {
          globalBlocks.get(stage).add(loader.globalBlock(stage, i));
        }
      }
      // Classifiers have no feature norms; the reference starts them at scale 1, shift 0, whatever it loads.
      int width = config.widths().get(stage);
      boolean trained = kind.isDense() && !parameters.has("norm.weight");
      featureNorms.add(trained ? layers.norm("norm" + (stage + 1), width, UniFormerLayers.BLOCK_EPS)
          : layers.unitNorm(width, UniFormerLayers.BLOCK_EPS));
    }
    this.hourglass = kind.isLight() ? new TokenHourglass(config, layers) : null;
    int last = config.widths().get(STAGES - 1);
    int classes = config.classes();
    Matrix.Affine finalNorm = kind.isDense() ? null : loader.batchNorm("norm", last);
    this.norm = kind.isDense() ? null
        : new Affine(null, layers.values(finalNorm.scale()), layers.values(finalNorm.shift()), Activation.IDENTITY);
    this.head = classes > 0 ? layers.linear("head", classes, last, true) : null;
    this.auxiliary
        = kind == Kind.TOKEN_LABELING && classes > 0
            ? new Auxiliary(Matrix.of(parameters, "aux_head", true, classes, last).after(finalNorm).pack(backend),
                layers.values(halves(classes)))
            : null;
    if (kind.isLight() && classes > 0) {
      // Training alone uses them.
      List.of("norm_cls.weight", "norm_cls.bias").forEach(name -> parameters.get(name, last));
      parameters.get("head_cls.weight", classes, last);
      parameters.get("head_cls.bias", classes);
    }
    parameters.ignore(name -> UniFormerCheckpoint.unused(name, kind));
    parameters.finish();
  }

  private static float[] halves(int count) {
    float[] values = new float[count];
    Arrays.fill(values, 0.5f);
    return values;
  }

  /** All outputs of the model, {@code out1} to {@code out4} as well. */
  @Override
  public void forward(Recorder r) {
    Tensor x = r.input();
    TokenHourglass.State state = null;
    for (int stage = 0; stage < STAGES; stage++) {
      int number = stage + 1;
      int depth = config.depths().get(stage);
      x = embed(r, "patch_embed" + number, embeddings.get(stage), x);
      r.output("patch_embed" + number, x);
      if (hourglass != null && stage >= 2) {
        state = stage == 2 ? hourglass.begin(r, x) : hourglass.coarsen(r, state);
      }
      for (int i = 0; i < depth; i++) {
        String name = "blocks" + number + "." + i;
        int index = i;
        int at = stage;
        Tensor in = x;
        TokenHourglass.State before = state;
        if (stage < 2) {
          x = r.scope(name, () -> localBlock(r, localBlocks.get(at).get(index), in));
        } else if (hourglass == null) {
          x = r.scope(name, () -> globalBlock(r, at, index, in));
        } else {
          state = r.scope(name, () -> hourglass.block(r, globalBlocks.get(at).get(index), at, index, in, before));
          x = state.map();
        }
        r.output(name, x);
      }
      Tensor out = x;
      r.output("stage" + number, out);
      Norm featureNorm = featureNorms.get(stage);
      r.output("out" + number, () -> r.record("norm" + number, new LayerNorm(RowSource.norm(featureNorm)), out));
      if (state != null) {
        hourglass.outputs(r, number, state);
      }
    }
    if (norm != null) {
      classify(r, x);
    }
  }

  @Override
  public void features(Recorder r) {
    forward(r);
  }

  private Tensor embed(Recorder r, String name, Embedding embedding, Tensor x) {
    for (int i = 0; i < embedding.convolutions().size(); i++) {
      Convolution convolution = embedding.convolutions().get(i);
      Window window = convolution.window();
      Shape in = x.shape();
      if (in.dim(-3) + 2 * window.padding().height() < window.size().height()
          || in.dim(-2) + 2 * window.padding().width() < window.size().width()) {
        Shape input = r.input().shape();
        throw new IllegalArgumentException("an input of " + input.dim(-3) + "x" + input.dim(-2) + " is too small: "
            + name + " finds a map of " + in.dim(-3) + "x" + in.dim(-2) + " and takes patches of "
            + window.size().height() + "x" + window.size().width() + "; resize the input to 32x32 or more");
      }
      Activation activation = i + 1 < embedding.convolutions().size() ? Activation.GELU : Activation.IDENTITY;
      Layer layer = convolution.layer();
      x = r.record(name + ".proj",
          new Linear(new RowSource(window.rows(in), null), layer.weights(), layer.epilogue().activation(activation)), x,
          window.slide(in, layer.weights().shape().dim(0)));
    }
    return embedding.norm() == null ? x : r.record(name + ".norm", new LayerNorm(RowSource.norm(embedding.norm())), x);
  }

  private static Tensor localBlock(Recorder r, LocalBlock block, Tensor x) {
    Tensor placed = r.record("pos_embed", block.position(), x);
    Tensor mixed
        = r.record("conv1", new Linear(RowSource.PLAIN, block.conv1().weights(), block.conv1().epilogue()), placed);
    Tensor heard = r.record("attn", block.attention(), mixed);
    Tensor y = r.record("conv2",
        new Linear(RowSource.PLAIN, block.conv2().weights(), block.conv2().epilogue().residual(placed)), heard);
    Tensor hidden = r.record("mlp.fc1",
        new Linear(RowSource.PLAIN, block.fc1().weights(), block.fc1().epilogue().activation(Activation.GELU)), y);
    return r.record("mlp.fc2", new Linear(RowSource.PLAIN, block.fc2().weights(), block.fc2().epilogue().residual(y)),
        hidden);
  }

  private Tensor globalBlock(Recorder r, int stage, int index, Tensor x) {
    GlobalBlock block = globalBlocks.get(stage).get(index);
    Tensor placed = r.record("pos_embed", block.position(), x);
    Shape shape = placed.shape();
    Tensor y;
    if (block.time() != null) {
      Tensor timed = attend(r, "t_attn", block.time(), stage, placed, timeRows(shape), shape.dim(1), placed);
      // The reference's residual goes around both attentions.
      y = attend(r, "attn", block.attention(), stage, timed, null, shape.dim(2) * shape.dim(3), placed);
    } else if (config.windowed(stage, index)) {
      Size window = Size.square(config.window());
      RowMap rows = new WindowPartition(shape.dim(1), shape.dim(2), window, Size.square(0), false).rowMap(shape.dim(0));
      y = attend(r, "attn", block.attention(), stage, placed, rows, window.area(), placed);
    } else {
      y = attend(r, "attn", block.attention(), stage, placed, null, shape.rows() / shape.dim(0), placed);
    }
    Tensor hidden = r.record("mlp.fc1", new Linear(RowSource.norm(block.norm2()), block.fc1().weights(),
        block.fc1().epilogue().activation(Activation.GELU)), y);
    return r.record("mlp.fc2", new Linear(RowSource.PLAIN, block.fc2().weights(), block.fc2().epilogue().residual(y)),
        hidden);
  }

  /**
   * Attention within groups of {@code tokens} rows.
   *
   * @param rows the order that makes the groups, which may have padding; null: as they lie
   */
  private Tensor attend(Recorder r, String name, UniFormerLayers.Attention layers, int stage, Tensor x, RowMap rows,
      int tokens, Tensor residual) {
    int heads = config.heads(stage);
    Tensor qkv = r.record(name + ".qkv",
        new Linear(new RowSource(rows, layers.norm()), layers.qkv().weights(), layers.qkv().epilogue()), x);
    Tensor heard = r.record(name,
        new WindowAttention(tokens, heads, x.shape().channels() / heads, config.scale(stage), null, null), qkv);
    return r.record(name + ".proj",
        new Linear(RowSource.PLAIN, layers.proj().weights(), layers.proj().epilogue().residual(residual).scatter(rows)),
        heard);
  }

  /** The frames of each position one after another. */
  private static RowMap timeRows(Shape shape) {
    int frames = shape.dim(1);
    int area = shape.dim(2) * shape.dim(3);
    return RowMap.of(shape.rows(), 1, i -> (i / (frames * area) * frames + i % frames) * area + i / frames % area);
  }

  private void classify(Recorder r, Tensor x) {
    r.output("norm", () -> r.record("norm", norm, x));
    // The mean of the normed positions is the normed mean.
    Tensor pooled = r.record(POOLED, norm, r.record("mean", new MeanPool(), x));
    r.output(POOLED, pooled);
    // Without a classifier the reference's head is the identity.
    Tensor logits = head == null ? pooled : auxiliary == null ? head(r, pooled) : labelTokens(r, x, pooled);
    r.output(LOGITS, logits);
    r.output(PROBABILITIES, () -> r.record(PROBABILITIES, new Softmax(), logits));
  }

  private Tensor head(Recorder r, Tensor pooled) {
    return r.record("head", new Linear(RowSource.PLAIN, head.weights(), head.epilogue()), pooled);
  }

  /** {@code head(pooled) + 0.5 max over tokens of aux_head(token)}. */
  private Tensor labelTokens(Recorder r, Tensor x, Tensor pooled) {
    Layer layer = auxiliary.head();
    Tensor labels = r.record("aux_head", new Linear(RowSource.PLAIN, layer.weights(), layer.epilogue()), x);
    r.output("logits_aux", labels);
    r.output("logits_cls", () -> head(r, pooled));
    Window.Extent whole = new Window.Extent(1, x.shape().dim(1), x.shape().dim(2));
    Tensor max = r.record("aux_head.max",
        new WindowPool(WindowPool.Kind.MAX, new Window(whole, whole, new Window.Extent(0, 0, 0))), labels);
    Tensor half = r.record("aux_head.half", new Affine(null, auxiliary.half(), null, Activation.IDENTITY), max);
    return r.record("head", new Linear(RowSource.PLAIN, head.weights(), head.epilogue().residual(half)), pooled);
  }

  @Override
  public List<String> featureNames() {
    return config.kind() == Kind.POSE ? List.of("out4") : List.of("out1", "out2", "out3", "out4");
  }

  @Override
  public List<Integer> featureStrides() {
    return config.kind() == Kind.POSE ? List.of(32) : List.of(4, 8, 16, 32);
  }

  @Override
  public int inputChannels() {
    return 3;
  }

  @Override
  public int embeddingWidth() {
    return norm == null ? 0 : config.widths().get(STAGES - 1);
  }

  @Override
  public int classes() {
    return config.classes();
  }
}
