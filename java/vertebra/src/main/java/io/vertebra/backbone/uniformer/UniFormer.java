package io.vertebra.backbone.uniformer;

import io.vertebra.backbone.Backbone;
import io.vertebra.backbone.Classifier;
import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.backbone.StridedConv;
import io.vertebra.backbone.WindowPartition;
import io.vertebra.backbone.uniformer.UniFormerConfig.Kind;
import io.vertebra.backbone.uniformer.UniFormerLayers.Embedding;
import io.vertebra.backbone.uniformer.UniFormerLayers.GlobalBlock;
import io.vertebra.backbone.uniformer.UniFormerLayers.LocalBlock;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Affine;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.MeanPool;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.RowMap;
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
  private final Signature signature;
  private final List<Stage> stages = new ArrayList<>();
  private final TokenHourglass hourglass;
  private final Affine norm;
  private final Linear head;
  private final Linear tokenHead;
  private final Affine half;

  private record Stage(Embedding embedding, List<LocalBlock> local, List<GlobalBlock> global, Norm featureNorm) {}

  /** Packs the weights for {@code backend}; {@code parameters} take the official names. */
  UniFormer(UniFormerConfig config, Parameters parameters, Backend backend) {
    this.config = config;
    Layers layers = new Layers(parameters, backend);
    UniFormerLayers loader = new UniFormerLayers(config, layers);
    Kind kind = config.kind();
    for (int stage = 0; stage < STAGES; stage++) {
      List<LocalBlock> local = new ArrayList<>();
      List<GlobalBlock> global = new ArrayList<>();
      for (int i = 0; i < config.depths().get(stage); i++) {
        if (stage < 2) {
          local.add(loader.localBlock(stage, i));
        } else {
          global.add(loader.globalBlock(stage, i));
        }
      }
      // Classifiers have no feature norms; the reference starts them at scale 1, shift 0, whatever it loads.
      int width = config.widths().get(stage);
      boolean trained = kind.isDense() && !parameters.has("norm.weight");
      stages.add(new Stage(loader.embedding(stage), local, global,
          trained ? layers.norm("norm" + (stage + 1), width, UniFormerLayers.BLOCK_EPS)
              : layers.unitNorm(width, UniFormerLayers.BLOCK_EPS)));
    }
    this.hourglass = kind.isLight() ? new TokenHourglass(config, layers) : null;
    int last = config.widths().get(STAGES - 1);
    int classes = config.classes();
    Matrix.Affine finalNorm = kind.isDense() ? null : loader.batchNorm("norm", last);
    this.norm = kind.isDense() ? null : Affine.of(layers.values(finalNorm.scale()), layers.values(finalNorm.shift()));
    this.head = classes > 0 ? layers.linear("head", classes, last, true) : null;
    boolean labelsTokens = kind == Kind.TOKEN_LABELING && classes > 0;
    this.tokenHead
        = labelsTokens ? Matrix.of(parameters, "aux_head", true, classes, last).after(finalNorm).pack(backend) : null;
    this.half = labelsTokens ? Affine.of(layers.values(halves(classes)), null) : null;
    if (kind.isLight() && classes > 0) {
      // Training alone uses them.
      List.of("norm_cls.weight", "norm_cls.bias").forEach(name -> parameters.get(name, last));
      parameters.get("head_cls.weight", classes, last);
      parameters.get("head_cls.bias", classes);
    }
    parameters.ignore(name -> UniFormerCheckpoint.unused(name, kind));
    parameters.finish();
    boolean pose = config.kind() == Kind.POSE;
    this.signature = new Signature(config.channels(), norm == null ? 0 : config.widths().get(STAGES - 1),
        config.classes(), pose ? List.of("out4") : List.of("out1", "out2", "out3", "out4"),
        pose ? List.of(32) : List.of(4, 8, 16, 32));
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
    for (int i = 0; i < STAGES; i++) {
      Stage stage = stages.get(i);
      int number = i + 1;
      x = embed(r, "patch_embed" + number, stage.embedding, x);
      if (hourglass != null && i >= 2) {
        state = i == 2 ? hourglass.begin(r, x) : hourglass.coarsen(r, state);
      }
      for (int j = 0; j < stage.local.size(); j++) {
        x = localBlock(r.scope("blocks" + number + "." + j), stage.local.get(j), x);
      }
      for (int j = 0; j < stage.global.size(); j++) {
        Recorder inner = r.scope("blocks" + number + "." + j);
        if (hourglass == null) {
          x = globalBlock(inner, stage.global.get(j), i, j, x);
        } else {
          state = hourglass.block(inner, stage.global.get(j), i, j, x, state);
          x = state.map();
        }
      }
      r.output("stage" + number, x);
      r.output("out" + number, r.record("norm" + number, LayerNorm.of(stage.featureNorm), x));
    }
    if (norm != null) {
      // The mean of the normed positions is the normed mean.
      Tensor pooled = r.record("pooled", norm, r.record("mean", new MeanPool(), x));
      Classifier.record(r, pooled, pooled, tokenHead == null ? head : head.residual(tokenLabels(r, x)));
    }
  }

  @Override
  public void features(Recorder r) {
    forward(r);
  }

  private Tensor embed(Recorder r, String name, Embedding embedding, Tensor x) {
    for (StridedConv convolution : embedding.convolutions()) {
      Window window = convolution.window();
      Shape in = x.shape();
      if (in.dim(-3) + 2 * window.padding().height() < window.size().height()
          || in.dim(-2) + 2 * window.padding().width() < window.size().width()) {
        Shape input = r.input().shape();
        throw new IllegalArgumentException("an input of " + input.dim(-3) + "x" + input.dim(-2) + " is too small: "
            + name + " finds a map of " + in.dim(-3) + "x" + in.dim(-2) + " and takes patches of "
            + window.size().height() + "x" + window.size().width() + "; resize the input to 32x32 or more");
      }
      x = convolution.record(r, name + ".proj", x);
    }
    return embedding.norm() == null ? x : r.record(name + ".norm", LayerNorm.of(embedding.norm()), x);
  }

  private static Tensor localBlock(Recorder r, LocalBlock block, Tensor x) {
    Tensor placed = r.record("pos_embed", block.position(), x);
    Tensor mixed = r.record("conv1", block.conv1(), placed);
    Tensor attended = r.record("attn", block.attention(), mixed);
    Tensor y = r.record("conv2", block.conv2().residual(placed), attended);
    Tensor hidden = r.record("mlp.fc1", block.fc1(), y);
    return r.record("mlp.fc2", block.fc2().residual(y), hidden);
  }

  private Tensor globalBlock(Recorder r, GlobalBlock block, int stage, int index, Tensor x) {
    Tensor placed = r.record("pos_embed", block.position(), x);
    Shape shape = placed.shape();
    if (block.time() != null) {
      // The reference's residual goes around both attentions.
      Tensor timed = attend(r, "t_attn", block.time().qkv(), block.time().proj(), placed, placed,
          attention(stage, shape, shape.dim(1)), timeRows(shape));
      Tensor y = attend(r, "attn", block.space().qkv(), block.space().proj(), timed, placed,
          attention(stage, shape, shape.dim(2) * shape.dim(3)), null);
      return block.space().mlp(r, y);
    }
    if (config.windowed(stage, index)) {
      Size window = Size.square(config.window());
      RowMap rows = new WindowPartition(shape.dim(1), shape.dim(2), window, Size.square(0), false).rowMap(shape.dim(0));
      return block.space().record(r, placed, attention(stage, shape, window.area()), rows);
    }
    return block.space().record(r, placed, attention(stage, shape, shape.rows() / shape.dim(0)), null);
  }

  /** Attention within groups of {@code tokens} rows. */
  private WindowAttention attention(int stage, Shape map, int tokens) {
    int heads = config.heads(stage);
    return new WindowAttention(tokens, heads, map.channels() / heads, config.scale(stage), null, null);
  }

  /** @param rows the order that makes the groups; null: as they lie */
  private static Tensor attend(Recorder r, String name, Linear qkv, Linear proj, Tensor x, Tensor residual,
      WindowAttention attention, RowMap rows) {
    Tensor attended = r.record(name, attention, r.record(name + ".qkv", qkv.gather(rows), x));
    return r.record(name + ".proj", proj.residual(residual).scatter(rows), attended);
  }

  /** The frames of each position one after another. */
  private static RowMap timeRows(Shape shape) {
    int frames = shape.dim(1);
    int area = shape.dim(2) * shape.dim(3);
    return RowMap.of(shape.rows(), 1, i -> (i / (frames * area) * frames + i % frames) * area + i / frames % area);
  }

  /** {@code 0.5 max over tokens of aux_head(token)}. */
  private Tensor tokenLabels(Recorder r, Tensor x) {
    Tensor labels = r.record("aux_head", tokenHead, x);
    Window.Extent whole = new Window.Extent(1, x.shape().dim(1), x.shape().dim(2));
    Tensor max = r.record("aux_head.max",
        new WindowPool(WindowPool.Kind.MAX, new Window(whole, whole, new Window.Extent(0, 0, 0))), labels);
    return r.record("aux_head.half", half, max);
  }

  @Override
  public Signature signature() {
    return signature;
  }
}
