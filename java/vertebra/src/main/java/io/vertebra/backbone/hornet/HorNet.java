package io.vertebra.backbone.hornet;

import io.vertebra.backbone.Backbone;
import io.vertebra.backbone.Classifier;
import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.backbone.StridedConv;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.MeanPool;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.Window;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.Parameters;
import java.util.ArrayList;
import java.util.List;

/**
 * HorNet (Rao et al., "HorNet: Efficient High-Order Spatial Interactions with Recursive Gated Convolutions", arXiv
 * 2207.14284), as classifier and as dense backbone.
 *
 * <p>Fused: norm1 into the gated convolution's first projection; layer scales into the weights of the projections
 * before them; residuals behind those; norm2 into pwconv1 and GELU behind it.
 */
public final class HorNet implements Backbone {
  private static final float EPS = 1e-6f;

  private final HorNetConfig config;
  private final Signature signature;
  private final StridedConv stem;
  private final Norm stemNorm;
  private final List<Stage> stages = new ArrayList<>();
  private final Norm norm;
  private final Linear head;
  private final List<Norm> featureNorms = new ArrayList<>();

  private record Block(GnConv gnconv, Linear pwconv1, Linear pwconv2) {}

  private record Downsampling(Norm norm, StridedConv convolution) {}

  /** @param downsampling what comes before the stage; null before the first one */
  private record Stage(Downsampling downsampling, List<Block> blocks) {}

  /** Packs the weights for {@code backend}; {@code parameters} take the official names. */
  HorNet(HorNetConfig config, Parameters parameters, Backend backend) {
    this.config = config;
    Layers layers = new Layers(parameters, backend);
    this.stem = loadPatches(layers, "downsample_layers.0.0", config.width(), config.channels(), HorNetConfig.PATCH);
    this.stemNorm = layers.norm("downsample_layers.0.1", config.width(), EPS);
    for (int i = 0; i < config.stages(); i++) {
      stages.add(loadStage(layers, i));
    }
    int last = config.width(config.stages() - 1);
    this.norm = config.dense() ? null : layers.norm("norm", last, EPS);
    this.head = config.classes() > 0 ? layers.linear("head", config.classes(), last, true) : null;
    for (int i = 0; i < config.stages(); i++) {
      // Classification checkpoints have no feature norms; the reference starts them at scale 1, shift 0.
      boolean given = config.dense() || parameters.has("norm" + i + ".weight");
      featureNorms.add(given ? layers.norm("norm" + i, config.width(i), EPS) : layers.unitNorm(config.width(i), EPS));
    }
    parameters.finish();
    List<Integer> maps = config.featureStages();
    this.signature
        = new Signature(config.channels(), norm == null ? 0 : config.width(config.stages() - 1), config.classes(),
            maps.stream().map(stage -> "out" + stage).toList(), maps.stream().map(config::stride).toList());
  }

  private Stage loadStage(Layers layers, int index) {
    int width = config.width(index);
    List<Block> blocks = new ArrayList<>();
    for (int j = 0; j < config.depths().get(index); j++) {
      blocks.add(loadBlock(layers, "stages." + index + "." + j, index));
    }
    String downsampling = "downsample_layers." + index;
    return new Stage(index == 0 ? null
        : new Downsampling(layers.norm(downsampling + ".0", width / 2, EPS),
            loadPatches(layers, downsampling + ".1", width, width / 2, 2)),
        blocks);
  }

  /** A convolution of patches side by side; what fills none is left out. */
  private static StridedConv loadPatches(Layers layers, String name, int out, int in, int size) {
    return new StridedConv(layers.conv(name, out, in, size), Window.square(size, size, 0));
  }

  private Block loadBlock(Layers layers, String name, int stage) {
    int width = config.width(stage);
    Parameters parameters = layers.parameters();
    float[] gamma1 = config.layerScale() ? parameters.values(name + ".gamma1", width) : null;
    float[] gamma2 = config.layerScale() ? parameters.values(name + ".gamma2", width) : null;
    return new Block(
        new GnConv(layers, name + ".gnconv.", config.gnConv(stage), layers.norm(name + ".norm1", width, EPS),
            projection -> projection.thenScale(gamma1)),
        layers.linear(name + ".pwconv1", 4 * width, width, true).norm(layers.norm(name + ".norm2", width, EPS))
            .activation(Activation.GELU),
        Matrix.of(parameters, name + ".pwconv2", true, width, 4 * width).thenScale(gamma2).pack(layers.backend()));
  }

  @Override
  public void forward(Recorder r) {
    Tensor x = stages(r);
    if (norm != null) {
      Tensor pooled = r.record("norm", LayerNorm.of(norm), r.record("mean", new MeanPool(), x));
      Classifier.record(r, pooled, pooled, head);
    }
  }

  @Override
  public void features(Recorder r) {
    stages(r);
  }

  private Tensor stages(Recorder r) {
    Tensor x = stem(r);
    for (int i = 0; i < stages.size(); i++) {
      Stage stage = stages.get(i);
      x = stage.downsampling == null ? x : downsample(r, "downsample_layers." + i, stage.downsampling, x);
      for (int j = 0; j < stage.blocks.size(); j++) {
        x = block(r.scope("stages." + i + "." + j), stage.blocks.get(j), x);
      }
      r.output("stage" + i, x);
      if (config.featureStages().contains(i)) {
        r.output("out" + i, r.record("norm" + i, LayerNorm.of(featureNorms.get(i)), x));
      }
    }
    return x;
  }

  private Tensor stem(Recorder r) {
    Shape image = r.input().shape();
    int least = config.stride(config.stages() - 1);
    if (image.rank() != 4) {
      throw new IllegalArgumentException("HorNet takes [batch, height, width, channels], not an input of " + image);
    }
    if (image.dim(1) < least || image.dim(2) < least) {
      throw new IllegalArgumentException("an input of " + image.dim(1) + "x" + image.dim(2)
          + " pixels is too small: HorNet takes " + least + "x" + least + " or more");
    }
    Tensor x = stem.record(r, "downsample_layers.0.0", r.input());
    return r.record("downsample_layers.0.1", LayerNorm.of(stemNorm), x);
  }

  private static Tensor downsample(Recorder r, String name, Downsampling downsampling, Tensor x) {
    return downsampling.convolution.record(r, name + ".1", r.record(name + ".0", LayerNorm.of(downsampling.norm), x));
  }

  private static Tensor block(Recorder r, Block block, Tensor x) {
    Tensor gated = block.gnconv.gate(r.scope("gnconv"), List.of(x));
    Tensor y = r.record("gnconv.proj_out", block.gnconv.projOut().residual(x), gated);
    Tensor hidden = r.record("pwconv1", block.pwconv1, y);
    return r.record("pwconv2", block.pwconv2.residual(y), hidden);
  }

  @Override
  public Signature signature() {
    return signature;
  }
}
