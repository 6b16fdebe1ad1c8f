package io.vertebra.backbone.hornet;

import io.vertebra.backbone.Backbone;
import io.vertebra.backbone.Layer;
import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Affine;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.MeanPool;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.RowSource;
import io.vertebra.program.op.Softmax;
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
  private final Layers layers;
  private final Layer stem;
  private final Norm stemNorm;
  private final List<Stage> stages = new ArrayList<>();
  private final Norm norm;
  private final Layer head;
  private final List<Norm> featureNorms = new ArrayList<>();

  /** @param gamma1 the layer scale that is folded into the gated convolution, or null */
  private record Block(Norm norm1, GnConv gnconv, float[] gamma1, Norm norm2, Layer pwconv1, Layer pwconv2) {}

  private record Downsampling(Norm norm, Layer convolution) {}

  /** @param downsampling what comes before the stage; null before the first one */
  private record Stage(Downsampling downsampling, List<Block> blocks) {}

  /** Packs the weights for {@code backend}; {@code parameters} take the official names. */
  HorNet(HorNetConfig config, Parameters parameters, Backend backend) {
    this.config = config;
    this.layers = new Layers(parameters, backend);
    this.stem = layers.conv("downsample_layers.0.0", config.width(), config.channels(), HorNetConfig.PATCH);
    this.stemNorm = layers.norm("downsample_layers.0.1", config.width(), EPS);
    for (int i = 0; i < config.stages(); i++) {
      stages.add(stage(i));
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
  }

  private Stage stage(int index) {
    int width = config.width(index);
    List<Block> blocks = new ArrayList<>();
    for (int j = 0; j < config.depths().get(index); j++) {
      blocks.add(block("stages." + index + "." + j, index));
    }
    String downsampling = "downsample_layers." + index;
    return new Stage(index == 0 ? null
        : new Downsampling(layers.norm(downsampling + ".0", width / 2, EPS),
            layers.conv(downsampling + ".1", width, width / 2, 2)),
        blocks);
  }

  private Block block(String name, int stage) {
    int width = config.width(stage);
    Parameters parameters = layers.parameters();
    float[] gamma1 = config.layerScale() ? parameters.values(name + ".gamma1", width) : null;
    float[] gamma2 = config.layerScale() ? parameters.values(name + ".gamma2", width) : null;
    return new Block(layers.norm(name + ".norm1", width, EPS),
        new GnConv(layers, name + ".gnconv.", config.gnConv(stage), projection -> projection.thenScale(gamma1)), gamma1,
        layers.norm(name + ".norm2", width, EPS), layers.linear(name + ".pwconv1", 4 * width, width, true),
        Matrix.of(parameters, name + ".pwconv2", true, width, 4 * width).thenScale(gamma2).pack(layers.backend()));
  }

  @Override
  public void forward(Recorder r) {
    Tensor x = stages(r);
    if (norm != null) {
      Tensor mean = r.record("mean", new MeanPool(), x);
      Tensor pooled = r.record("norm", new LayerNorm(RowSource.norm(norm)), mean);
      r.output(POOLED, pooled);
      // Without a classifier the reference's head is the identity.
      Tensor logits = head == null ? pooled
          : r.record("head", new Linear(RowSource.PLAIN, head.weights(), head.epilogue()), pooled);
      r.output(LOGITS, logits);
      r.output(PROBABILITIES, () -> r.record(PROBABILITIES, new Softmax(), logits));
    }
  }

  @Override
  public void features(Recorder r) {
    stages(r);
  }

  private Tensor stages(Recorder r) {
    Tensor x = stem(r);
    r.output("stem", x);
    for (int i = 0; i < stages.size(); i++) {
      Stage stage = stages.get(i);
      x = stage.downsampling == null ? x : downsample(r, "downsample_layers." + i, stage.downsampling, x);
      for (int j = 0; j < stage.blocks.size(); j++) {
        Block block = stage.blocks.get(j);
        String name = "stages." + i + "." + j;
        Tensor in = x;
        Tensor gated = r.scope(name + ".gnconv", () -> block.gnconv.gate(r, List.of(in), RowSource.norm(block.norm1)));
        if (j == stage.blocks.size() - 1) {
          r.output("gnconv" + i, () -> unscaled(r, block, gated));
        }
        x = r.scope(name, () -> finish(r, block, in, gated));
      }
      Tensor out = x;
      r.output("stage" + i, out);
      if (config.featureStages().contains(i)) {
        String name = "norm" + i;
        Norm featureNorm = featureNorms.get(i);
        r.output("out" + i, () -> r.record(name, new LayerNorm(RowSource.norm(featureNorm)), out));
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
    Tensor x = convolve(r, "downsample_layers.0.0", r.input(), stem, HorNetConfig.PATCH);
    return r.record("downsample_layers.0.1", new LayerNorm(RowSource.norm(stemNorm)), x);
  }

  private static Tensor downsample(Recorder r, String name, Downsampling downsampling, Tensor x) {
    Tensor normed = r.record(name + ".0", new LayerNorm(RowSource.norm(downsampling.norm)), x);
    return convolve(r, name + ".1", normed, downsampling.convolution, 2);
  }

  /** Patches side by side; what fills none is left out. */
  private static Tensor convolve(Recorder r, String name, Tensor x, Layer layer, int size) {
    Window window = Window.square(size, size, 0);
    return r.record(name, new Linear(new RowSource(window.rows(x.shape()), null), layer.weights(), layer.epilogue()), x,
        window.slide(x.shape(), layer.weights().shape().dim(0)));
  }

  /** The rest of a block behind the recursion of its gated convolution. */
  private static Tensor finish(Recorder r, Block block, Tensor x, Tensor gated) {
    Layer projection = block.gnconv.projOut();
    Tensor y = r.record("gnconv.proj_out",
        new Linear(RowSource.PLAIN, projection.weights(), projection.epilogue().residual(x)), gated);
    Tensor hidden = r.record("pwconv1", new Linear(RowSource.norm(block.norm2), block.pwconv1.weights(),
        block.pwconv1.epilogue().activation(Activation.GELU)), y);
    return r.record("pwconv2",
        new Linear(RowSource.PLAIN, block.pwconv2.weights(), block.pwconv2.epilogue().residual(y)), hidden);
  }

  /** The gated convolution's output as published, before the layer scale. */
  private Tensor unscaled(Recorder r, Block block, Tensor gated) {
    Layer projection = block.gnconv.projOut();
    Tensor scaled
        = r.record("gnconv.unfused", new Linear(RowSource.PLAIN, projection.weights(), projection.epilogue()), gated);
    if (block.gamma1 == null) {
      return scaled;
    }
    float[] inverse = new float[block.gamma1.length];
    for (int i = 0; i < inverse.length; i++) {
      inverse[i] = 1 / block.gamma1[i];
    }
    return r.record("gnconv.unscaled", new Affine(null, layers.values(inverse), null, Activation.IDENTITY), scaled);
  }

  @Override
  public List<String> featureNames() {
    return config.featureStages().stream().map(stage -> "out" + stage).toList();
  }

  @Override
  public List<Integer> featureStrides() {
    return config.featureStages().stream().map(config::stride).toList();
  }

  @Override
  public int inputChannels() {
    return config.channels();
  }

  @Override
  public int embeddingWidth() {
    return norm == null ? 0 : config.width(config.stages() - 1);
  }

  @Override
  public int classes() {
    return config.classes();
  }
}
