package io.vertebra.backbone.conformer;

import io.vertebra.backbone.Backbone;
import io.vertebra.backbone.Layer;
import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.backbone.conformer.ConformerConfig.Classifiers;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Affine;
import io.vertebra.program.op.Convolution;
import io.vertebra.program.op.Epilogue;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.MeanPool;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.RowSource;
import io.vertebra.program.op.Softmax;
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
  private final Layer stem;
  private final Layer patchProjection;
  private final Weights classToken;
  private final Bottleneck firstBottleneck;
  private final TransformerBlock firstBlock;
  private final List<Step> steps = new ArrayList<>();
  private final Norm norm;
  private final Layer tokenClassifier;
  private final Layer mapClassifier;

  /** @param shortcut the convolution beside it; null: none, its input is added as it is */
  private record Bottleneck(Layer conv1, Layer conv2, Layer conv3, Layer shortcut, int stride) {}

  private record TransformerBlock(Norm norm1, Layer qkv, Layer proj, Norm norm2, Layer fc1, Layer fc2) {}

  /** @param pooling side of the square of map positions that share a token */
  private record Step(String name, int pooling, Bottleneck cnn, List<Bottleneck> med, Bottleneck fusion, Layer squeeze,
      Norm squeezeNorm, Layer expand, TransformerBlock block) {}

  /** Packs the weights for {@code backend}; {@code parameters} take the official names. */
  Conformer(ConformerConfig config, Parameters parameters, Backend backend) {
    this.config = config;
    Loader loader = new Loader(parameters, backend);
    Layers layers = loader.layers;
    int width = config.embedDim();
    this.stem = loader.conv("conv1", "bn1", OUTER_EPS, STEM, config.channels(), 7);
    this.patchProjection = layers.conv("trans_patch_conv", width, STEM, config.pooling(1));
    this.classToken = backend.packValues(Shape.of(1, width), parameters.values("cls_token", 1, 1, width));
    this.firstBottleneck = loader.bottleneck("conv_1", STEM, config.width(1), 1, true);
    this.firstBlock = loader.block("trans_1");
    for (int i = 2; i <= config.depth(); i++) {
      steps.add(loader.step(i));
    }
    boolean tokens = config.classifiers() != Classifiers.NONE;
    this.norm = tokens ? layers.norm("trans_norm", width, OUTER_EPS) : null;
    this.tokenClassifier = tokens ? layers.linear("trans_cls_head", config.classes(), width, true) : null;
    this.mapClassifier = config.classifiers() == Classifiers.BOTH
        ? layers.linear("conv_cls_head", config.classes(), config.width(config.depth()), true)
        : null;
    parameters.finish();
  }

  /** Reads parameters by their official names. */
  private final class Loader {
    private final Layers layers;
    private final Parameters parameters;
    private final Backend backend;

    Loader(Parameters parameters, Backend backend) {
      this.layers = new Layers(parameters, backend);
      this.parameters = parameters;
      this.backend = backend;
    }

    /** A convolution without bias and the batch norm behind it. */
    Layer conv(String name, String norm, float eps, int out, int in, int size) {
      return folded(name, norm, eps, out, in, size).pack(backend);
    }

    private Matrix folded(String name, String norm, float eps, int out, int in, int size) {
      return Matrix.of(parameters, name, false, out, in, size, size)
          .then(Matrix.Affine.batchNorm(parameters, norm, out, eps));
    }

    Bottleneck bottleneck(String name, int in, int out, int stride, boolean shortcut) {
      int inner = out / 4;
      Matrix conv2 = folded(name + ".conv2", name + ".bn2", EPS, inner, inner, 3);
      return new Bottleneck(conv(name + ".conv1", name + ".bn1", EPS, inner, in, 1),
          stride == 1 ? conv2.packConvolution(backend) : conv2.pack(backend),
          conv(name + ".conv3", name + ".bn3", EPS, out, inner, 1),
          shortcut ? conv(name + ".residual_conv", name + ".residual_bn", EPS, out, in, 1) : null, stride);
    }

    TransformerBlock block(String name) {
      int width = config.embedDim();
      int hidden = (int) (width * config.mlpRatio());
      return new TransformerBlock(layers.norm(name + ".norm1", width, EPS),
          layers.linear(name + ".attn.qkv", 3 * width, width, config.qkvBias()),
          layers.linear(name + ".attn.proj", width, width, true), layers.norm(name + ".norm2", width, EPS),
          layers.linear(name + ".mlp.fc1", hidden, width, true), layers.linear(name + ".mlp.fc2", width, hidden, true));
    }

    Step step(int index) {
      String name = "conv_trans_" + index;
      int width = config.width(index);
      int inner = width / 4;
      boolean narrower = config.downsamples(index);
      boolean last = index == config.depth();
      List<Bottleneck> med = new ArrayList<>();
      for (int j = 0; j < config.medBlocks(); j++) {
        med.add(bottleneck(name + ".med_block." + j, width, width, 1, false));
      }
      return new Step(name, config.pooling(index),
          bottleneck(name + ".cnn_block", config.width(index - 1), width, narrower ? 2 : 1, narrower), med,
          bottleneck(name + ".fusion_block", width, width, last ? 2 : 1, last),
          Matrix
              .of(parameters, name + ".squeeze_block.conv_project", true, config.embedDim(), inner, 1, 1).pack(backend),
          layers.norm(name + ".squeeze_block.ln", config.embedDim(), EPS),
          Matrix.of(parameters, name + ".expand_block.conv_project", true, inner, config.embedDim(), 1, 1)
              .then(Matrix.Affine.batchNorm(parameters, name + ".expand_block.bn", inner, EPS)).pack(backend),
          block(name + ".trans_block"));
    }
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
    private final Map<List<Object>, RowMap> windows = new HashMap<>();
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
        Step step = steps.get(i);
        State in = state;
        state = r.scope(step.name, () -> step(step, in));
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
      Tensor wide = conv("conv1", r.input(), stem, Window.square(7, 2, 3), Activation.RELU);
      Tensor map = r.record("maxpool", new WindowPool(WindowPool.Kind.MAX, Window.square(3, 2, 1)), wide);
      r.output("stem", map);
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
      r.output("stem_padded", map);
      return map;
    }

    private State firstStep(Tensor stemmed) {
      Tensor map = r.scope("conv_1", () -> last(firstBottleneck, stemmed, inner(firstBottleneck, stemmed)));
      r.output("conv_1", map);
      int cell = config.pooling(1);
      Tensor embedded
          = conv("trans_patch_conv", stemmed, patchProjection, Window.square(cell, cell, 0), Activation.IDENTITY);
      Tensor tokens = r.record("cls_token",
          Sum.of(Term.of(embedded, patchesAmongTokens), Term.of(classToken, grid.oneClassAmongTokens())), embedded,
          grid.shape(config.embedDim()));
      return new State(map, r.scope("trans_1", () -> {
        Tensor out = block(firstBlock, tokens);
        rows(out);
        return out;
      }));
    }

    private State step(Step step, State in) {
      Tensor inner = r.scope("cnn_block", () -> inner(step.cnn, in.map));
      Tensor local = r.scope("cnn_block", () -> last(step.cnn, in.map, inner));
      r.output("cnn_block.x2", inner);
      r.output("cnn_block.x", local);

      Tensor squeezed = r.scope("squeeze_block", () -> squeeze(step, inner));
      // The squeezed map comes with the class token in front, so adding it doubles that.
      Tensor met = r.record("meet",
          Sum.of(Term.of(in.tokens), Term.of(in.tokens, classesAmongTokens), Term.of(squeezed, patchesAmongTokens)),
          in.tokens);
      Tensor tokens = r.scope("trans_block", () -> block(step.block, met));
      rows(tokens);

      Tensor x = local;
      for (int j = 0; j < step.med.size(); j++) {
        Tensor before = x;
        Bottleneck med = step.med.get(j);
        x = r.scope("med_block." + j, () -> last(med, before, inner(med, before)));
        r.output("med_block." + j, x);
      }
      Tensor mapped = x;
      Tensor expanded = r.record("expand_block",
          new Linear(new RowSource(patches, null), step.expand.weights(),
              step.expand.epilogue().activation(Activation.RELU)),
          tokens, grid.patchShape(step.expand.weights().shape().dim(0)));
      r.output("expand_block", () -> r.record("upsample", Sum.of(Term.of(expanded, upsampling(step))), expanded,
          mapped.shape().withChannels(expanded.shape().channels())));
      Tensor map = r.scope("fusion_block", () -> fuse(step, mapped, expanded));
      r.output("conv", map);
      return new State(map, tokens);
    }

    /** Map positions to tokens. */
    private Tensor squeeze(Step step, Tensor x) {
      Window cell = Window.square(step.pooling, step.pooling, 0);
      Tensor pooled = step.pooling == 1 ? x : r.record("pool", new WindowPool(WindowPool.Kind.AVERAGE, cell), x);
      Tensor projected = linear("conv_project", pooled, step.squeeze, step.squeeze.epilogue());
      Tensor normed = r.record("ln", new LayerNorm(RowSource.norm(step.squeezeNorm)), projected);
      Tensor tokens = r.record("gelu", new Affine(null, null, null, Activation.GELU), normed);
      r.output("tokens", tokens);
      return tokens;
    }

    /** A bottleneck whose first convolution, after its ReLU, gets the expanded tokens added. */
    private Tensor fuse(Step step, Tensor x, Tensor expanded) {
      Layer conv1 = step.fusion.conv1;
      Epilogue epilogue = conv1.epilogue().activation(Activation.RELU);
      epilogue = step.pooling == 1 ? epilogue.residual(expanded) : epilogue.residual(expanded, upsampling(step));
      Tensor a = r.record("conv1", new Linear(RowSource.PLAIN, conv1.weights(), epilogue), x,
          x.shape().withChannels(expanded.shape().channels()));
      return last(step.fusion, x, conv2(step.fusion, a));
    }

    private RowMap upsampling(Step step) {
      return upsampled.computeIfAbsent(step.pooling, grid::upsample);
    }

    /** A bottleneck up to its 3x3 convolution. */
    private Tensor inner(Bottleneck block, Tensor x) {
      Tensor a = linear("conv1", x, block.conv1, block.conv1.epilogue().activation(Activation.RELU));
      return conv2(block, a);
    }

    private Tensor conv2(Bottleneck block, Tensor a) {
      return block.stride == 1
          ? r.record("conv2", new Convolution(block.conv2.weights(), block.conv2.bias(), Activation.RELU), a)
          : conv("conv2", a, block.conv2, Window.square(3, block.stride, 1), Activation.RELU);
    }

    /** The end of a bottleneck whose input was {@code x}. */
    private Tensor last(Bottleneck block, Tensor x, Tensor inner) {
      Tensor residual = block.shortcut == null ? x
          : conv("residual_conv", x, block.shortcut, Window.square(1, block.stride, 0), Activation.IDENTITY);
      return linear("conv3", inner, block.conv3,
          block.conv3.epilogue().residual(residual).lastActivation(Activation.RELU));
    }

    private Tensor linear(String name, Tensor x, Layer layer, Epilogue epilogue) {
      return r.record(name, new Linear(RowSource.PLAIN, layer.weights(), epilogue), x);
    }

    /** A convolution as a matrix product over the rows its window reads. */
    private Tensor conv(String name, Tensor x, Layer layer, Window window, Activation activation) {
      Shape out = window.slide(x.shape(), layer.weights().shape().dim(0));
      boolean pointwise = window.equals(Window.square(1, 1, 0));
      RowMap rows = pointwise ? null
          : windows.computeIfAbsent(List.of(window, x.shape().withChannels(1)), key -> window.rows(x.shape()));
      return r.record(name,
          new Linear(new RowSource(rows, null), layer.weights(), layer.epilogue().activation(activation)), x, out);
    }

    private Tensor block(TransformerBlock block, Tensor x) {
      Tensor qkv
          = r.record("attn.qkv", new Linear(RowSource.norm(block.norm1), block.qkv.weights(), block.qkv.epilogue()), x);
      Tensor heard = r.record("attn",
          new WindowAttention(grid.tokens(), config.heads(), config.headDim(), config.scale(), null, null), qkv);
      Tensor y = linear("attn.proj", heard, block.proj, block.proj.epilogue().residual(x));
      Tensor hidden = r.record("mlp.fc1", new Linear(RowSource.norm(block.norm2), block.fc1.weights(),
          block.fc1.epilogue().activation(Activation.GELU)), y);
      return linear("mlp.fc2", hidden, block.fc2, block.fc2.epilogue().residual(y));
    }

    /** Names the two kinds of tokens apart, as one grows in every step. */
    private void rows(Tensor tokens) {
      r.output("cls", () -> r.record("cls", new LayerNorm(new RowSource(classes, null)), tokens));
      r.output("tokens", () -> r.record("tokens", new LayerNorm(new RowSource(patches, null)), tokens));
    }

    /** The sum of the branches' logits; the embedding is what both classifiers read. */
    private void classify(State state) {
      Tensor token = r.record("trans_norm", new LayerNorm(new RowSource(classes, norm)), state.tokens);
      r.output("trans_pooled", token);
      Tensor tokenLogits = linear("trans_cls_head", token, tokenClassifier, tokenClassifier.epilogue());
      r.output("trans_logits", tokenLogits);
      Tensor logits = tokenLogits;
      if (mapClassifier == null) {
        r.output(POOLED, token);
      } else {
        Tensor pooled = r.record("conv_pooled", new MeanPool(), state.map);
        r.output("conv_pooled", pooled);
        r.output(POOLED, () -> concatenate(pooled, token));
        r.output("conv_logits", () -> linear("conv_cls_head.unfused", pooled, mapClassifier, mapClassifier.epilogue()));
        logits = linear("conv_cls_head", pooled, mapClassifier, mapClassifier.epilogue().residual(tokenLogits));
      }
      Tensor summed = logits;
      r.output(LOGITS, summed);
      r.output(PROBABILITIES, () -> r.record(PROBABILITIES, new Softmax(), summed));
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
      return r.record("concat", new LayerNorm(new RowSource(RowMap.of(batch * all, all, i -> i), null)), segments);
    }
  }

  @Override
  public List<String> featureNames() {
    return featureSteps().stream().map(step -> "out" + FEATURE_STEPS.indexOf(step)).toList();
  }

  @Override
  public List<Integer> featureStrides() {
    return featureSteps().stream().map(step -> (4 << config.stage(step)) * (step == config.depth() ? 2 : 1)).toList();
  }

  private List<Integer> featureSteps() {
    return FEATURE_STEPS.stream().filter(step -> step <= config.depth()).toList();
  }

  @Override
  public int inputChannels() {
    return config.channels();
  }

  @Override
  public int embeddingWidth() {
    return switch (config.classifiers()) {
      case BOTH -> config.width(config.depth()) + config.embedDim();
      case TOKENS -> config.embedDim();
      case NONE -> 0;
    };
  }

  @Override
  public int classes() {
    return config.classes();
  }
}
