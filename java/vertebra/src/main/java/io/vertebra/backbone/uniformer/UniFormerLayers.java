package io.vertebra.backbone.uniformer;

import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.backbone.StridedConv;
import io.vertebra.backbone.TransformerBlock;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.Window;
import io.vertebra.program.op.Window.Extent;
import io.vertebra.weights.Parameters;
import java.util.Arrays;
import java.util.List;

/**
 * Reads the layers of a UniFormer by their official names and folds into them, exactly up to rounding, what the
 * reference computes on its own: batch norms, layer scales, the bias of the 5x5 convolution into what follows it, and
 * the residual around a position embedding as a one more in the centre of its kernel.
 */
record UniFormerLayers(UniFormerConfig config, Layers layers) {
  static final double BATCH_NORM_EPS = 1e-5;
  static final float EMBEDDING_EPS = 1e-5f;
  static final float BLOCK_EPS = 1e-6f;

  /** @param norm null for convolutional stems, whose norms are folded */
  record Embedding(List<StridedConv> convolutions, Norm norm) {}

  /** Convolutions only: the paper's local MHRA. */
  record LocalBlock(DepthwiseConv position, Linear conv1, DepthwiseConv attention, Linear conv2, Linear fc1,
      Linear fc2) {}

  /** Attention over time, with the norm before it in qkv. */
  record TimeAttention(Linear qkv, Linear proj) {}

  /**
   * @param proj what the representative token's attention adds to the tokens it stands for, and {@code fc2} likewise
   *   its MLP
   */
  record Representative(Linear proj, Linear fc2) {}

  /**
   * The paper's global MHRA.
   *
   * @param time attention over time before the one over space; null if one attends to both
   * @param representative of a light block that scales it by a factor of its own; else null
   */
  record GlobalBlock(DepthwiseConv position, TimeAttention time, TransformerBlock space,
      Representative representative) {}

  private Parameters parameters() {
    return layers.parameters();
  }

  Embedding embedding(int stage) {
    String name = "patch_embed" + (stage + 1);
    boolean video = config.kind().isVideo();
    int in = stage == 0 ? 3 : config.widths().get(stage - 1);
    int out = config.widths().get(stage);
    if (config.convStem() && stage == 0) {
      Window first = video ? new Window(Extent.cube(3), new Extent(1, 2, 2), Extent.cube(1)) : Window.square(3, 2, 1);
      Window second = video ? new Window(Extent.cube(3), Extent.cube(2), Extent.cube(1)) : first;
      return new Embedding(List.of(normed(name, 0, out / 2, in, first).activation(Activation.GELU),
          normed(name, 3, out, out / 2, second)), null);
    }
    if (config.convStem() && !config.kind().isLight()) {
      return new Embedding(List.of(normed(name, 0, out, in, Window.square(3, 2, 1))), null);
    }
    int side = stage == 0 ? 4 : 2;
    int frames = video && (stage == 0 || config.overlappingTime()) ? 3 : 1;
    Window patch = new Window(new Extent(frames, side, side), new Extent(video && stage == 0 ? 2 : 1, side, side),
        new Extent(frames / 2, 0, 0));
    Matrix proj = Matrix.of(parameters(), name + ".proj", true, kernel(out, in, patch.size()));
    return new Embedding(List.of(new StridedConv(pack(proj), patch)), layers.norm(name + ".norm", out, EMBEDDING_EPS));
  }

  /** Convolution {@code NAME.proj.INDEX} and the batch norm after it. */
  private StridedConv normed(String name, int index, int out, int in, Window window) {
    Matrix conv = Matrix.of(parameters(), name + ".proj." + index, true, kernel(out, in, window.size()));
    return new StridedConv(pack(conv.then(batchNorm(name + ".proj." + (index + 1), out))), window);
  }

  LocalBlock localBlock(int stage, int index) {
    String name = block(stage, index);
    int width = config.widths().get(stage);
    int hidden = config.hidden(stage);
    Extent point = Extent.cube(1);
    int[] scale = config.kind().isVideo() ? new int[] {1, width, 1, 1, 1} : new int[] {1, width, 1, 1};
    float[] ones = new float[width];
    Arrays.fill(ones, 1);
    Matrix conv1 = Matrix.of(parameters(), name + ".conv1", true, kernel(width, width, point))
        .after(batchNorm(name + ".norm1", width));
    Matrix conv2 = Matrix.of(parameters(), name + ".conv2", true, kernel(width, width, point))
        .after(new Matrix.Affine(ones, parameters().values(name + ".attn.bias", width)))
        .thenScale(layerScale(name + ".gamma_1", stage, scale));
    Matrix fc1 = Matrix.of(parameters(), name + ".mlp.fc1", true, kernel(hidden, width, point))
        .after(batchNorm(name + ".norm2", width));
    Matrix fc2 = Matrix.of(parameters(), name + ".mlp.fc2", true, kernel(width, hidden, point))
        .thenScale(layerScale(name + ".gamma_2", stage, scale));
    return new LocalBlock(position(name, width), pack(conv1), depthwise(depthwise(name + ".attn", false, width, 5), 5),
        pack(conv2), pack(fc1).activation(Activation.GELU), pack(fc2));
  }

  GlobalBlock globalBlock(int stage, int index) {
    String name = block(stage, index);
    int width = config.widths().get(stage);
    int hidden = config.hidden(stage);
    float[] gamma1 = layerScale(name + ".gamma_1", stage, width);
    float[] gamma2 = layerScale(name + ".gamma_2", stage, width);
    Matrix proj = Matrix.of(parameters(), name + ".attn.proj", true, width, width);
    Matrix fc2 = Matrix.of(parameters(), name + ".mlp.fc2", true, width, hidden);
    TimeAttention time = null;
    if (config.split()) {
      time = new TimeAttention(
          layers.linear(name + ".t_attn.qkv", 3 * width, width, config.qkvBias())
              .norm(layers.norm(name + ".t_norm", width, BLOCK_EPS)),
          layers.linear(name + ".t_attn.proj", width, width, true));
    }
    Representative representative = null;
    if (config.scalesRepresentative() && config.light().kept().get(stage).get(index) != 1) {
      float[] gamma3 = parameters().values(name + ".gamma_3", width);
      representative = new Representative(pack(proj.thenScale(gamma3)), pack(fc2.thenScale(gamma3)));
    }
    TransformerBlock space = new TransformerBlock(
        layers.linear(name + ".attn.qkv", 3 * width, width, config.qkvBias())
            .norm(layers.norm(name + ".norm1", width, BLOCK_EPS)),
        pack(proj.thenScale(gamma1)), layers.linear(name + ".mlp.fc1", hidden, width, true)
            .norm(layers.norm(name + ".norm2", width, BLOCK_EPS)).activation(Activation.GELU),
        pack(fc2.thenScale(gamma2)));
    return new GlobalBlock(position(name, width), time, space, representative);
  }

  Matrix.Affine batchNorm(String name, int channels) {
    return Matrix.Affine.batchNorm(parameters(), name, channels, BATCH_NORM_EPS);
  }

  private static String block(int stage, int index) {
    return "blocks" + (stage + 1) + "." + index;
  }

  private Linear pack(Matrix matrix) {
    return matrix.pack(layers.backend());
  }

  private float[] layerScale(String name, int stage, int... shape) {
    return config.scaled(stage) ? parameters().values(name, shape) : null;
  }

  /** {@code x + pos_embed(x)}. */
  private DepthwiseConv position(String block, int width) {
    return depthwise(depthwise(block + ".pos_embed", true, width, 3).plusOperand(), 3);
  }

  private Matrix depthwise(String name, boolean bias, int width, int side) {
    Extent size = config.kind().isVideo() ? Extent.cube(side) : Extent.square(side);
    return Matrix.of(parameters(), name, bias, kernel(width, 1, size));
  }

  private DepthwiseConv depthwise(Matrix matrix, int side) {
    Window window = config.kind().isVideo() ? new Window(Extent.cube(side), Extent.cube(1), Extent.cube(side / 2))
        : Window.square(side, 1, side / 2);
    return layers.depthwise(matrix, window, 1);
  }

  /** Shape of a convolution's weights. */
  private int[] kernel(int out, int in, Extent size) {
    return config.kind().isVideo() ? new int[] {out, in, size.time(), size.height(), size.width()}
        : new int[] {out, in, size.height(), size.width()};
  }
}
