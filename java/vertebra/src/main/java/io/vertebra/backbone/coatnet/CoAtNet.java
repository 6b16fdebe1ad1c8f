package io.vertebra.backbone.coatnet;

import io.vertebra.backbone.Backbone;
import io.vertebra.backbone.Classifier;
import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.backbone.StridedConv;
import io.vertebra.backbone.coatnet.CoAtNetConfig.BlockKind;
import io.vertebra.backbone.coatnet.CoAtNetConfig.Conv;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Affine;
import io.vertebra.program.op.Convolution;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.MeanPool;
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
  private static final float HEAD_EPS = 1e-6f;

  private final CoAtNetConfig config;
  private final Signature signature;
  private final StridedConv stem1;
  /** Null where it is folded. */
  private final ChannelNorm stemNorm;
  private final Convolution stem2;
  private final List<List<Block>> stages = new ArrayList<>();
  private final ChannelNorm norm;
  private final Linear preLogits;
  private final Linear head;

  /** Packs the weights for {@code backend}; {@code parameters} take timm's names. */
  CoAtNet(CoAtNetConfig config, Parameters parameters, Backend backend) {
    this.config = config;
    Layers layers = new Layers(parameters, backend);
    Conv conv = config.conv();
    int stemWidth = config.stem().get(0);
    Matrix first = Matrix.of(parameters, "stem.conv1", config.stemBias(), stemWidth, config.channels(), 3, 3);
    this.stemNorm = conv.convNext() ? ChannelNorm.layer(layers, "stem.norm1", stemWidth, conv.eps()) : null;
    Linear halving = stemNorm != null ? first.pack(backend)
        : first.then(Matrix.Affine.batchNorm(parameters, "stem.norm1", stemWidth, conv.eps())).pack(backend)
            .activation(conv.activation());
    this.stem1 = new StridedConv(halving, Window.square(3, 2, 1));
    this.stem2 = Matrix.of(parameters, "stem.conv2", config.stemBias(), config.stem().get(1), stemWidth, 3, 3)
        .packConvolution(backend, Activation.IDENTITY);
    for (int stage = 0; stage < config.stages(); stage++) {
      stages.add(loadStage(layers, stage));
    }
    int width = config.widths().get(config.stages() - 1);
    int hidden = config.headHidden();
    this.norm = hidden > 0 ? null : config.transformer().norm(layers, "norm", width);
    this.preLogits = hidden == 0 ? null
        : layers.linear("head.pre_logits.fc", hidden, width, true).norm(layers.norm("head.norm", width, HEAD_EPS))
            .activation(Activation.TANH);
    this.head
        = config.classes() > 0 ? layers.linear("head.fc", config.classes(), hidden > 0 ? hidden : width, true) : null;
    parameters.ignore(name -> name.endsWith("relative_position_index") || name.endsWith("rel_coords_log"));
    parameters.finish();
    List<Integer> maps = IntStream.range(0, config.stages()).boxed().toList();
    this.signature = new Signature(config.channels(), config.widths().get(config.stages() - 1), config.classes(),
        maps.stream().map(stage -> "stage" + stage).toList(), maps.stream().map(stage -> 4 << stage).toList());
  }

  private List<Block> loadStage(Layers layers, int stage) {
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
    if (preLogits != null) {
      Tensor pooled = r.record("pooled", new MeanPool(), x);
      Classifier.record(r, pooled, r.record("head.pre_logits", preLogits, pooled), head);
    } else {
      // A batch norm may as well follow the mean.
      Tensor pooled = norm.isAffine() ? norm.record(r, "norm", r.record("mean", new MeanPool(), x))
          : r.record("pooled", new MeanPool(), norm.record(r, "norm", x));
      Classifier.record(r, pooled, pooled, head);
    }
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
        x = stages.get(i).get(j).forward(r.scope("stages." + i + ".blocks." + j), x);
      }
      r.output("stage" + i, x);
    }
    return x;
  }

  private Tensor stem(Recorder r) {
    Tensor x = stem1.record(r, "stem.conv1", r.input());
    if (stemNorm != null) {
      x = r.record("stem.act", Affine.of(config.conv().activation()), stemNorm.record(r, "stem.norm1", x));
    }
    return r.record("stem.conv2", stem2, x);
  }

  @Override
  public Signature signature() {
    return signature;
  }
}
