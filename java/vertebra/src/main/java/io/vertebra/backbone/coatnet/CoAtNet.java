package io.vertebra.backbone.coatnet;

import io.vertebra.backbone.Backbone;
import io.vertebra.backbone.Layer;
import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.backbone.coatnet.CoAtNetConfig.BlockKind;
import io.vertebra.backbone.coatnet.CoAtNetConfig.Conv;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Convolution;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.MeanPool;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.RowSource;
import io.vertebra.program.op.Softmax;
import io.vertebra.program.op.Window;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Size;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.Parameters;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * CoAtNet (Dai et al., "CoAtNet: Marrying Convolution and Attention for All Data Sizes", arXiv 2106.04803) and its
 * relatives with published weights, as huggingface/pytorch-image-models defines them: a convolutional stem, stages of
 * convolution blocks, stages of transformer blocks that attend to the whole map. Every stage halves the map.
 *
 * <p>The blocks are {@link MbConvBlock}, {@link ConvNextBlock} and {@link TransformerBlock}.
 */
public final class CoAtNet implements Backbone {
  private static final double HEAD_EPS = 1e-6;

  private final CoAtNetConfig config;
  private final Layers layers;
  private final ChannelNorm stemNorm;
  private final Layer stem1;
  private final Layer stem2;
  private final List<List<Block>> stages = new ArrayList<>();
  private final ChannelNorm norm;
  private final Norm headNorm;
  private final Layer preLogits;
  private final Layer head;

  /** Packs the weights for {@code backend}; {@code parameters} take timm's names. */
  CoAtNet(CoAtNetConfig config, Parameters parameters, Backend backend) {
    this.config = config;
    this.layers = new Layers(parameters, backend);
    Conv conv = config.conv();
    int stemWidth = config.stem().get(0);
    Matrix first = Matrix.of(parameters, "stem.conv1", config.stemBias(), stemWidth, config.channels(), 3, 3);
    this.stemNorm = conv.convNext() ? ChannelNorm.layer(layers, "stem.norm1", stemWidth, conv.eps())
        : ChannelNorm.batch(layers, "stem.norm1", stemWidth, conv.eps());
    this.stem1 = (stemNorm.isAffine() ? first.then(stemNorm.affine()) : first).pack(backend);
    this.stem2 = Matrix.of(parameters, "stem.conv2", config.stemBias(), config.stem().get(1), stemWidth, 3, 3)
        .packConvolution(backend);
    for (int stage = 0; stage < config.stages(); stage++) {
      stages.add(loadStage(stage));
    }
    int width = embeddingWidth();
    int hidden = config.headHidden();
    this.norm = hidden > 0 ? null : config.transformer().norm(layers, "norm", width);
    this.headNorm = hidden > 0 ? layers.norm("head.norm", width, (float) HEAD_EPS) : null;
    this.preLogits = hidden > 0 ? layers.linear("head.pre_logits.fc", hidden, width, true) : null;
    this.head
        = config.classes() > 0 ? layers.linear("head.fc", config.classes(), hidden > 0 ? hidden : width, true) : null;
    parameters.ignore(name -> name.endsWith("relative_position_index") || name.endsWith("rel_coords_log"));
    parameters.finish();
  }

  private List<Block> loadStage(int stage) {
    int in = stage == 0 ? config.stem().get(1) : config.widths().get(stage - 1);
    int out = config.widths().get(stage);
    List<BlockKind> kinds = config.blocks().get(stage);
    List<Block> blocks = new ArrayList<>();
    for (int j = 0; j < kinds.size(); j++) {
      String name = "stages." + stage + ".blocks." + j;
      int from = j == 0 ? in : out;
      if (kinds.get(j) == BlockKind.TRANSFORMER) {
        blocks.add(new TransformerBlock(config.transformer(), layers, name, from, out, j == 0,
            config.builtMap(stage, config.image())));
      } else if (config.conv().convNext()) {
        blocks.add(new ConvNextBlock(config.conv(), layers, name, from, out, j == 0));
      } else {
        blocks.add(new MbConvBlock(config.conv(), layers, name, from, out, j == 0));
      }
    }
    return blocks;
  }

  @Override
  public void forward(Recorder r) {
    Tensor x = body(r);
    Tensor pooled;
    Tensor logits;
    if (config.headHidden() > 0) {
      pooled = r.record(POOLED, new MeanPool(), x);
      logits = r.record("head.pre_logits",
          new Linear(RowSource.norm(headNorm), preLogits.weights(), preLogits.epilogue().activation(Activation.TANH)),
          pooled);
      r.output("head_norm", () -> r.record("head.norm", new LayerNorm(RowSource.norm(headNorm)), pooled));
      r.output("pre_logits", logits);
    } else {
      // A batch norm may as well follow the mean.
      pooled = norm.isAffine() ? norm.apply(r, "norm", r.record("mean", new MeanPool(), x), Activation.IDENTITY)
          : r.record(POOLED, new MeanPool(), norm.apply(r, "norm", x, Activation.IDENTITY));
      logits = pooled;
      r.output("norm", () -> norm.apply(r, "norm", x, Activation.IDENTITY));
    }
    // Without a classifier the reference's last layer is the identity.
    Tensor scores = head == null ? logits
        : r.record("head", new Linear(RowSource.PLAIN, head.weights(), head.epilogue()), logits);
    r.output(POOLED, pooled);
    r.output(LOGITS, scores);
    r.output(PROBABILITIES, () -> r.record(PROBABILITIES, new Softmax(), scores));
  }

  @Override
  public void features(Recorder r) {
    body(r);
  }

  /** The map behind the last stage; every stage's is an output. */
  private Tensor body(Recorder r) {
    Shape image = r.input().shape();
    config.checkInput(new Size(image.dim(1), image.dim(2)));
    Tensor x = stem(r);
    for (int i = 0; i < stages.size(); i++) {
      for (int j = 0; j < stages.get(i).size(); j++) {
        String name = "stages." + i + ".blocks." + j;
        Block block = stages.get(i).get(j);
        Tensor in = x;
        x = r.scope(name, () -> block.forward(r, in));
        r.output(name, x);
      }
      r.output("stage" + i, x);
    }
    return x;
  }

  private Tensor stem(Recorder r) {
    boolean folded = stemNorm.isAffine();
    Activation activation = config.conv().activation();
    Tensor halved = halve(r, folded ? activation : Activation.IDENTITY);
    Tensor activated = folded ? halved : stemNorm.apply(r, "stem.norm1", halved, activation);
    Tensor out = r.record("stem.conv2", new Convolution(stem2.weights(), stem2.bias(), Activation.IDENTITY), activated);

    r.output("stem.conv1",
        () -> folded ? Unfolded.before(r, layers, stemNorm.affine(), halve(r, Activation.IDENTITY)) : halved);
    r.output("stem.norm1", activated);
    r.output("stem", out);
    return out;
  }

  private Tensor halve(Recorder r, Activation activation) {
    Window window = Window.square(3, 2, 1);
    Shape image = r.input().shape();
    return r.record("stem.conv1",
        new Linear(new RowSource(window.rows(image), null), stem1.weights(), stem1.epilogue().activation(activation)),
        r.input(), window.slide(image, config.stem().get(0)));
  }

  @Override
  public List<String> featureNames() {
    return IntStream.range(0, config.stages()).mapToObj(stage -> "stage" + stage).toList();
  }

  @Override
  public List<Integer> featureStrides() {
    return IntStream.range(0, config.stages()).mapToObj(stage -> 4 << stage).toList();
  }

  @Override
  public int inputChannels() {
    return config.channels();
  }

  @Override
  public int embeddingWidth() {
    return config.widths().get(config.stages() - 1);
  }

  @Override
  public int classes() {
    return config.classes();
  }
}
