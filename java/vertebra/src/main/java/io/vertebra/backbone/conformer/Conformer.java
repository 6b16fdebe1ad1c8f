package io.vertebra.backbone.conformer;

import io.vertebra.backbone.Backbone;
import io.vertebra.backbone.Classifier;
import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.backbone.StridedConv;
import io.vertebra.backbone.TransformerBlock;
import io.vertebra.backbone.conformer.ConformerConfig.Classifiers;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Affine;
import io.vertebra.program.op.Convolution;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.MeanPool;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.RowSource;
import io.vertebra.program.op.Sum;
import io.vertebra.program.op.Sum.Term;
import io.vertebra.program.op.Weights;
import io.vertebra.program.op.Window;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.program.op.WindowPool;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.Parameters;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Conformer (Peng et al., "Conformer: Local Features Coupling Global Representations for Visual Recognition", arXiv
 * 2105.03889): a branch of bottlenecks and a branch of transformer blocks that meet in every step, as classifier and as
 * detection backbone.
 *
 * <p>Folded: every batch norm into the convolution before it. Fused: both norms and residuals of the transformer
 * blocks; the upsampled tokens into the fusion bottleneck's first convolution; the bottlenecks' residuals and last
 * ReLU. Maps are pooled before they are projected to tokens, which gives the same with fewer products than the
 * published count.
 */
public final class Conformer implements Backbone {
  private static final int STEM = 64;
  private static final float EPS = 1e-6f;
  /** Of the first and the last norm alone. */
  private static final float OUTER_EPS = 1e-5f;
  /** Steps whose maps the detection backbone gives, whatever its depth. */
  private static final List<Integer> FEATURE_STEPS = List.of(4, 8, 11, 12);

  private final ConformerConfig config;
  private final Signature signature;
  private final StridedConv stem;
  private final StridedConv patchProjection;
  private final Weights classToken;
  private final Bottleneck firstBottleneck;
  private final TransformerBlock firstBlock;
  private final List<Step> steps = new ArrayList<>();
  private final Norm norm;
  private final Linear tokenClassifier;
  private final Linear mapClassifier;

  /**
   * Of {@code conv2} and {@code stridedConv2} one is null.
   *
   * @param shortcut the convolution beside it; null: none, its input is added as it is
   */
  private record Bottleneck(Linear conv1, Convolution conv2, StridedConv stridedConv2, Linear conv3,
      StridedConv shortcut) {}

  /** @param pooling side of the square of map positions that share a token */
  private record Step(String name, int pooling, Bottleneck cnn, List<Bottleneck> med, Bottleneck fusion, Linear squeeze,
      Norm squeezeNorm, Linear expand, TransformerBlock block) {}

  /** Packs the weights for {@code backend}; {@code parameters} take the official names. */
  Conformer(ConformerConfig config, Parameters parameters, Backend backend) {
    this.config = config;
    Layers layers = new Layers(parameters, backend);
    int width = config.embedDim();
    int cell = config.pooling(1);
    this.stem = new StridedConv(
        loadConv(layers, "conv1", "bn1", OUTER_EPS, STEM, config.channels(), 7).activation(Activation.RELU),
        Window.square(7, 2, 3));
    this.patchProjection
        = new StridedConv(layers.conv("trans_patch_conv", width, STEM, cell), Window.square(cell, cell, 0));
    this.classToken = backend.packValues(Shape.of(1, width), parameters.values("cls_token", 1, 1, width));
    this.firstBottleneck = loadBottleneck(layers, "conv_1", STEM, config.width(1), 1, true);
    this.firstBlock = loadBlock(layers, "trans_1");
    for (int i = 2; i <= config.depth(); i++) {
      steps.add(loadStep(layers, i));
    }
    boolean tokens = config.classifiers() != Classifiers.NONE;
    this.norm = tokens ? layers.norm("trans_norm", width, OUTER_EPS) : null;
    this.tokenClassifier = tokens ? layers.linear("trans_cls_head", config.classes(), width, true) : null;
    this.mapClassifier = config.classifiers() == Classifiers.BOTH
        ? layers.linear("conv_cls_head", config.classes(), config.width(config.depth()), true)
        : null;
    parameters.finish();
    int embedding = switch (config.classifiers()) {
      case BOTH -> config.width(config.depth()) + config.embedDim();
      case TOKENS -> config.embedDim();
      case NONE -> 0;
    };
    List<Integer> maps = FEATURE_STEPS.stream().filter(step -> step <= config.depth()).toList();
    this.signature = new Signature(config.channels(), embedding, config.classes(),
        maps.stream().map(step -> "out" + FEATURE_STEPS.indexOf(step)).toList(),
        maps.stream().map(step -> (4 << config.stage(step)) * (step == config.depth() ? 2 : 1)).toList());
  }

  /** A convolution without bias and the batch norm behind it. */
  private static Linear loadConv(Layers layers, String name, String norm, float eps, int out, int in, int size) {
    return folded(layers, name, norm, eps, out, in, size).pack(layers.backend());
  }

  private static Matrix folded(Layers layers, String name, String norm, float eps, int out, int in, int size) {
    return Matrix.of(layers.parameters(), name, false, out, in, size, size)
        .then(Matrix.Affine.batchNorm(layers.parameters(), norm, out, eps));
  }

  private static Bottleneck loadBottleneck(Layers layers, String name, int in, int out, int stride, boolean shortcut) {
    int inner = out / 4;
    Matrix conv2 = folded(layers, name + ".conv2", name + ".bn2", EPS, inner, inner, 3);
    return new Bottleneck(
        loadConv(layers, name + ".conv1", name + ".bn1", EPS, inner, in, 1).activation(Activation.RELU),
        stride == 1 ? conv2.packConvolution(layers.backend(), Activation.RELU) : null,
        stride == 1 ? null
            : new StridedConv(conv2.pack(layers.backend()).activation(Activation.RELU), Window.square(3, stride, 1)),
        loadConv(layers, name + ".conv3", name + ".bn3", EPS, out, inner, 1).lastActivation(Activation.RELU),
        shortcut
            ? new StridedConv(loadConv(layers, name + ".residual_conv", name + ".residual_bn", EPS, out, in, 1),
                Window.square(1, stride, 0))
            : null);
  }

  private TransformerBlock loadBlock(Layers layers, String name) {
    int width = config.embedDim();
    return TransformerBlock.load(layers, name, width, width, (int) (width * config.mlpRatio()), config.qkvBias(), EPS);
  }

  private Step loadStep(Layers layers, int index) {
    String name = "conv_trans_" + index;
    int width = config.width(index);
    int inner = width / 4;
    boolean narrower = config.downsamples(index);
    boolean last = index == config.depth();
    List<Bottleneck> med = new ArrayList<>();
    for (int j = 0; j < config.medBlocks(); j++) {
      med.add(loadBottleneck(layers, name + ".med_block." + j, width, width, 1, false));
    }
    return new Step(name, config.pooling(index),
        loadBottleneck(layers, name + ".cnn_block", config.width(index - 1), width, narrower ? 2 : 1, narrower), med,
        loadBottleneck(layers, name + ".fusion_block", width, width, last ? 2 : 1, last),
        Matrix.of(layers.parameters(), name + ".squeeze_block.conv_project", true, config.embedDim(), inner, 1, 1)
            .pack(layers.backend()),
        layers.norm(name + ".squeeze_block.ln", config.embedDim(), EPS),
        Matrix.of(layers.parameters(), name + ".expand_block.conv_project", true, inner, config.embedDim(), 1, 1)
            .then(Matrix.Affine.batchNorm(layers.parameters(), name + ".expand_block.bn", inner, EPS))
            .pack(layers.backend()).activation(Activation.RELU),
        loadBlock(layers, name + ".trans_block"));
  }

  @Override
  public void forward(Recorder r) {
    new Pass(r).run();
  }

  @Override
  public void features(Recorder r) {
    forward(r);
  }

  /** Both branches after a step. */
  private record State(Tensor map, Tensor tokens) {}

  /** One forward pass, whose layers share the maps of rows they read. */
  private final class Pass {
    private final Recorder r;
    private final Map<Integer, RowMap> upsampled = new HashMap<>();
    private TokenGrid grid;
    private RowMap classes;
    private RowMap patches;
    private RowMap classesAmongTokens;
    private RowMap patchesAmongTokens;

    Pass(Recorder r) {
      this.r = r;
    }

    void run() {
      Tensor stemmed = stem();
      State state = firstStep(stemmed);
      for (int i = 0; i < steps.size(); i++) {
        state = step(r.scope(steps.get(i).name), steps.get(i), state);
        int feature = FEATURE_STEPS.indexOf(i + 2);
        if (feature >= 0) {
          r.output("out" + feature, state.map);
        }
      }
      if (norm != null) {
        classify(state);
      }
    }

    private Tensor stem() {
      Tensor wide = stem.record(r, "conv1", r.input());
      Tensor map = r.record("maxpool", new WindowPool(WindowPool.Kind.MAX, Window.square(3, 2, 1)), wide);
      Shape shape = map.shape();
      int cell = config.pooling(1);
      grid = new TokenGrid(shape.dim(0), (shape.dim(1) + cell - 1) / cell, (shape.dim(2) + cell - 1) / cell);
      classes = grid.classes();
      patches = grid.patches();
      classesAmongTokens = grid.classesAmongTokens();
      patchesAmongTokens = grid.patchesAmongTokens();
      int height = grid.rows() * cell;
      int width = grid.columns() * cell;
      if (height != shape.dim(1) || width != shape.dim(2)) {
        if (!config.padding()) {
          Shape image = r.input().shape();
          throw new IllegalArgumentException(
              "an input of " + image.dim(1) + "x" + image.dim(2) + " is not made of whole" + " patches of "
                  + config.patch() + " pixels; resize it to " + 4 * height + "x" + 4 * width + " pixels");
        }
        RowMap rows = TokenGrid.padded(shape, height, width);
        map = r.record("pad", Sum.of(Term.of(map, rows)), map, Shape.of(shape.dim(0), height, width, STEM));
      }
      return map;
    }

    private State firstStep(Tensor stemmed) {
      Tensor map = bottleneck(r.scope("conv_1"), firstBottleneck, stemmed);
      Tensor embedded = patchProjection.record(r, "trans_patch_conv", stemmed);
      Tensor tokens = r.record("cls_token",
          Sum.of(Term.of(embedded, patchesAmongTokens), Term.of(classToken, grid.oneClassAmongTokens())), embedded,
          grid.shape(config.embedDim()));
      return new State(map, block(r.scope("trans_1"), firstBlock, tokens));
    }

    private State step(Recorder r, Step step, State in) {
      Tensor inner = inner(r.scope("cnn_block"), step.cnn, in.map);
      Tensor x = last(r.scope("cnn_block"), step.cnn, in.map, inner);
      Tensor squeezed = squeeze(r.scope("squeeze_block"), step, inner);
      // The squeezed map comes with the class token in front, so adding it doubles that.
      Tensor met = r.record("meet",
          Sum.of(Term.of(in.tokens), Term.of(in.tokens, classesAmongTokens), Term.of(squeezed, patchesAmongTokens)),
          in.tokens);
      Tensor tokens = block(r.scope("trans_block"), step.block, met);
      for (int j = 0; j < step.med.size(); j++) {
        x = bottleneck(r.scope("med_block." + j), step.med.get(j), x);
      }
      Tensor expanded
          = r.record("expand_block", step.expand.gather(patches), tokens, grid.patchShape(step.expand.channels()));
      return new State(fuse(r.scope("fusion_block"), step, x, expanded), tokens);
    }

    /** Map positions to tokens. */
    private Tensor squeeze(Recorder r, Step step, Tensor x) {
      Window cell = Window.square(step.pooling, step.pooling, 0);
      Tensor pooled = step.pooling == 1 ? x : r.record("pool", new WindowPool(WindowPool.Kind.AVERAGE, cell), x);
      Tensor normed = r.record("ln", LayerNorm.of(step.squeezeNorm), r.record("conv_project", step.squeeze, pooled));
      return r.record("gelu", Affine.of(Activation.GELU), normed);
    }

    /** A bottleneck whose first convolution, after its ReLU, gets the expanded tokens added. */
    private Tensor fuse(Recorder r, Step step, Tensor x, Tensor expanded) {
      Linear conv1 = step.pooling == 1 ? step.fusion.conv1.residual(expanded)
          : step.fusion.conv1.residual(expanded, upsampling(step));
      Tensor a = r.record("conv1", conv1, x, x.shape().withChannels(conv1.channels()));
      return last(r, step.fusion, x, conv2(r, step.fusion, a));
    }

    private RowMap upsampling(Step step) {
      return upsampled.computeIfAbsent(step.pooling, grid::upsample);
    }

    private Tensor bottleneck(Recorder r, Bottleneck block, Tensor x) {
      return last(r, block, x, inner(r, block, x));
    }

    /** A bottleneck up to its 3x3 convolution. */
    private Tensor inner(Recorder r, Bottleneck block, Tensor x) {
      return conv2(r, block, r.record("conv1", block.conv1, x));
    }

    private Tensor conv2(Recorder r, Bottleneck block, Tensor a) {
      return block.conv2 != null ? r.record("conv2", block.conv2, a) : block.stridedConv2.record(r, "conv2", a);
    }

    /** The end of a bottleneck whose input was {@code x}. */
    private Tensor last(Recorder r, Bottleneck block, Tensor x, Tensor inner) {
      Tensor residual = block.shortcut == null ? x : block.shortcut.record(r, "residual_conv", x);
      return r.record("conv3", block.conv3.residual(residual), inner);
    }

    private Tensor block(Recorder r, TransformerBlock block, Tensor x) {
      return block.record(r, x,
          new WindowAttention(grid.tokens(), config.heads(), config.headDim(), config.scale(), null, null), null);
    }

    /** The sum of the branches' logits; the embedding is what both classifiers read. */
    private void classify(State state) {
      Tensor token = r.record("trans_norm", new LayerNorm(new RowSource(classes, norm)), state.tokens);
      Tensor tokenLogits = r.record("trans_cls_head", tokenClassifier, token);
      if (mapClassifier == null) {
        Classifier.outputs(r, token, tokenLogits);
      } else {
        Tensor pooled = r.record("conv_pooled", new MeanPool(), state.map);
        Tensor logits = r.record("conv_cls_head", mapClassifier.residual(tokenLogits), pooled);
        Classifier.outputs(r, concatenate(pooled, token), logits);
      }
    }

    /** The rows of {@code a}, each followed by that of {@code b}. */
    private Tensor concatenate(Tensor a, Tensor b) {
      int segment = BigInteger.valueOf(a.shape().channels()).gcd(BigInteger.valueOf(b.shape().channels())).intValue();
      int first = a.shape().channels() / segment;
      int second = b.shape().channels() / segment;
      int all = first + second;
      int batch = a.shape().rows();
      Tensor segments = r.record("segments",
          Sum.of(Term.of(a, RowMap.of(batch * all, 1, i -> i % all < first ? i / all * first + i % all : -1)),
              Term.of(b, RowMap.of(batch * all, 1, i -> i % all < first ? -1 : i / all * second + i % all - first))),
          a, Shape.of(batch * all, segment));
      return r.record("concat", LayerNorm.gather(RowMap.of(batch * all, all, i -> i)), segments);
    }
  }

  @Override
  public Signature signature() {
    return signature;
  }
}
