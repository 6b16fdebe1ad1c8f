package io.vertebra.backbone.swin;

import io.vertebra.backbone.Backbone;
import io.vertebra.backbone.Classifier;
import io.vertebra.backbone.Layers;
import io.vertebra.backbone.RelativePositions;
import io.vertebra.backbone.TableResize;
import io.vertebra.backbone.TableResize.Table;
import io.vertebra.backbone.TransformerBlock;
import io.vertebra.backbone.WeakCache;
import io.vertebra.backbone.WindowPartition;
import io.vertebra.backbone.swin.SwinConfig.Behaviour;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.MeanPool;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.RegionMask;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.Sum;
import io.vertebra.program.op.Sum.Term;
import io.vertebra.program.op.Weights;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Size;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.Parameters;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * Swin Transformer (Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", arXiv
 * 2103.14030), as classifier and as dense backbone.
 *
 * <p>Fused: norm1 and the partition into windows into qkv; the reverse partition and the residual into proj; norm2 into
 * fc1 and GELU behind it; the residual into fc2; gathering and norm into the patch merging's reduction.
 */
public final class Swin implements Backbone {
  private static final float EPS = 1e-5f;

  private final SwinConfig config;
  private final Signature signature;
  private final Backend backend;
  private final Linear patchProjection;
  private final Norm patchNorm;
  private final Table absolutePositions;
  private final List<Stage> stages = new ArrayList<>();
  private final Norm norm;
  private final Linear head;
  private final Map<Integer, Norm> featureNorms = new HashMap<>();
  private final WeakCache<List<Object>, Weights> constants = new WeakCache<>();

  private record Block(TransformerBlock layers, Table biasTable) {}

  /** Of one map: what windows are made of, and who sees whom in them. Blocks that cut a map alike share it. */
  private record Windows(RowMap rows, RegionMask mask) {}

  /** @param reduction of the patch merging that follows the stage; null after the last one */
  private record Stage(List<Block> blocks, Linear reduction) {}

  /** Packs the weights for {@code backend}; {@code parameters} take the official names. */
  Swin(SwinConfig config, Parameters parameters, Backend backend) {
    this.config = config;
    this.backend = backend;
    Layers layers = new Layers(parameters, backend);
    this.patchProjection = layers.conv("patch_embed.proj", config.width(), config.channels(), config.patch());
    this.patchNorm = config.patchNorm() ? layers.norm("patch_embed.norm", config.width(), EPS) : null;
    this.absolutePositions = config.absolutePositions() ? loadAbsolutePositions(parameters) : null;
    for (int i = 0; i < config.stages(); i++) {
      stages.add(loadStage(layers, i));
    }
    int last = config.width(config.stages() - 1);
    this.norm = config.finalNorm() ? layers.norm("norm", last, EPS) : null;
    this.head = config.classes() > 0 ? layers.linear("head", config.classes(), last, true) : null;
    for (int stage : config.featureStages()) {
      String name = "norm" + stage;
      // Classification checkpoints have no feature norms; the reference starts them at scale 1, shift 0.
      boolean given = !config.finalNorm() || parameters.has(name + ".weight");
      featureNorms.put(stage,
          given ? layers.norm(name, config.width(stage), EPS) : layers.unitNorm(config.width(stage), EPS));
    }
    parameters.ignore(name -> name.endsWith("relative_position_index") || name.endsWith("attn_mask"));
    parameters.finish();
    List<Integer> maps = config.featureStages();
    this.signature = new Signature(config.channels(), norm == null ? 0 : config.width(config.stages() - 1),
        config.classes(), maps.stream().map(stage -> "out" + stage).toList(),
        maps.stream().map(stage -> config.patch() << stage).toList());
  }

  private Stage loadStage(Layers layers, int index) {
    int width = config.width(index);
    List<Block> blocks = new ArrayList<>();
    for (int j = 0; j < config.depths().get(index); j++) {
      blocks.add(loadBlock(layers, "layers." + index + ".blocks." + j, index));
    }
    String downsample = "layers." + index + ".downsample";
    boolean last = index == config.stages() - 1;
    return new Stage(blocks,
        last ? null
            : layers.linear(downsample + ".reduction", 2 * width, 4 * width, false)
                .norm(layers.norm(downsample + ".norm", 4 * width, EPS)));
  }

  private Block loadBlock(Layers layers, String name, int stage) {
    int width = config.width(stage);
    int heads = config.heads().get(stage);
    Size window = config.window(stage, config.builtMap(stage, config.image()));
    int rows = 2 * window.rows() - 1;
    int columns = 2 * window.columns() - 1;
    return new Block(
        TransformerBlock.load(layers, name, width, heads * config.headDim(stage), (int) (width * config.mlpRatio()),
            config.qkvBias(), EPS),
        new Table(rows, columns, heads,
            layers.parameters().values(name + ".attn.relative_position_bias_table", rows * columns, heads)));
  }

  private Table loadAbsolutePositions(Parameters parameters) {
    Size map = config.builtMap(0, config.image());
    int width = config.width();
    if (config.behaviour() != Behaviour.DENSE) {
      return new Table(map.rows(), map.columns(), width, parameters.values("absolute_pos_embed", 1, map.area(), width));
    }
    float[] channelsFirst = parameters.values("absolute_pos_embed", 1, width, map.rows(), map.columns());
    float[] values = new float[channelsFirst.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = channelsFirst[i % width * map.area() + i / width];
    }
    return new Table(map.rows(), map.columns(), width, values);
  }

  @Override
  public void forward(Recorder r) {
    run(r, config);
  }

  @Override
  public void features(Recorder r) {
    run(r, config.withBehaviour(Behaviour.DENSE));
  }

  private void run(Recorder r, SwinConfig rules) {
    Map<WindowPartition, Windows> windows = new HashMap<>();
    Tensor x = patchEmbed(r, rules);
    for (int i = 0; i < stages.size(); i++) {
      Stage stage = stages.get(i);
      for (int j = 0; j < stage.blocks.size(); j++) {
        x = block(r.scope("layers." + i + ".blocks." + j), rules, i, stage.blocks.get(j), j % 2 == 1, x, windows);
      }
      r.output("stage" + i, x);
      if (config.featureStages().contains(i)) {
        r.output("out" + i, r.record("norm" + i, LayerNorm.of(featureNorms.get(i)), x));
      }
      if (stage.reduction != null) {
        x = merge(r.scope("layers." + i + ".downsample"), rules, stage.reduction, x);
      }
    }
    if (norm != null) {
      Tensor pooled = r.record("pooled", new MeanPool(), r.record("norm", LayerNorm.of(norm), x));
      Classifier.record(r, pooled, pooled, head);
    }
  }

  /** A map of tokens, {@code [batch, rows, columns, channels]}, as everything up to the pooling. */
  private Tensor patchEmbed(Recorder r, SwinConfig rules) {
    Shape image = r.input().shape();
    Size map = patchGrid(rules, image.dim(1), image.dim(2));
    RowMap patches = patches(image, map, config.patch());
    Tensor x = r.record("patch_embed.proj", patchProjection.gather(patches), r.input(),
        Shape.of(image.dim(0), map.rows(), map.columns(), config.width()));
    if (patchNorm != null) {
      x = r.record("patch_embed.norm", LayerNorm.of(patchNorm), x);
    }
    if (absolutePositions != null) {
      Table table = TableResize.bicubic(absolutePositions, map.rows(), map.columns());
      Weights positions
          = constant(List.of("absolute_pos_embed", map), Shape.of(map.area(), config.width()), table::values);
      RowMap rows = RowMap.of(x.shape().rows(), 1, i -> i % map.area());
      x = r.record("absolute_pos_embed", Sum.of(Term.of(x), Term.of(positions, rows)), x);
    }
    return x;
  }

  private Size patchGrid(SwinConfig rules, int height, int width) {
    int patch = config.patch();
    if (rules.behaviour() == Behaviour.DENSE) {
      return new Size((height + patch - 1) / patch, (width + patch - 1) / patch);
    }
    if (height < patch || width < patch
        || rules.behaviour() == Behaviour.TIMM && (height % patch != 0 || width % patch != 0)) {
      throw new IllegalArgumentException("an input of " + height + "x" + width + " is not made of whole patches of "
          + patch + " pixels; resize it, or use the dense behaviour, which pads");
    }
    return new Size(height / patch, width / patch);
  }

  /**
   * Rows of the input that make up each patch, pixel by pixel in reading order; beyond the right and bottom border
   * stand zeros.
   */
  private static RowMap patches(Shape image, Size map, int patch) {
    int height = image.dim(1);
    int width = image.dim(2);
    // Whole rows of a patch are one segment where patches tile the image's width; else every pixel is one.
    int step = width % patch == 0 ? patch : 1;
    int groups = patch * patch / step;
    return RowMap.of((long) image.dim(0) * map.area() * groups, groups, i -> {
      int token = i / groups;
      int pixel = i % groups * step;
      int y = token / map.columns() % map.rows() * patch + pixel / patch;
      int x = token % map.columns() * patch + pixel % patch;
      return y >= height || x >= width ? -1 : ((token / map.area() * height + y) * width + x) / step;
    });
  }

  private Tensor block(Recorder r, SwinConfig rules, int stage, Block block, boolean shifted, Tensor x,
      Map<WindowPartition, Windows> windows) {
    Size map = map(x);
    Size built = rules.behaviour() == Behaviour.TIMM ? builtMap(r, stage) : map;
    Size window = rules.window(stage, built);
    Size shift = shifted ? rules.shift(stage, built) : Size.square(0);
    if (rules.behaviour() == Behaviour.OFFICIAL
        && (map.rows() % window.rows() != 0 || map.columns() % window.columns() != 0)) {
      throw refused(r, "stage " + stage + " has a map of " + map.rows() + "x" + map.columns()
          + " tokens, which windows of " + window.rows() + "x" + window.columns() + " do not tile");
    }
    WindowPartition partition
        = new WindowPartition(map.rows(), map.columns(), window, shift, rules.behaviour() == Behaviour.TIMM);
    Windows cut = windows.computeIfAbsent(partition, key -> new Windows(key.rowMap(x.shape().dim(0)), key.mask()));
    WindowAttention attention = new WindowAttention(window.area(), config.heads().get(stage), config.headDim(stage),
        config.scale(stage), attentionBias(rules, block, window), cut.mask);

    return block.layers.record(r, x, attention, cut.rows);
  }

  /** What the official model says to an input whose maps do not fit its windows. */
  private IllegalArgumentException refused(Recorder r, String why) {
    Shape image = r.input().shape();
    return new IllegalArgumentException("an input of " + image.dim(1) + "x" + image.dim(2)
        + " pixels is refused by the official model: " + why + ". Resize it to " + config.image().rows() + "x"
        + config.image().columns() + ", or use the timm or dense behaviour, which pad");
  }

  private static Size map(Tensor x) {
    return new Size(x.shape().dim(1), x.shape().dim(2));
  }

  /**
   * timm fixes windows and shifts when it builds a model, by a map that counts whole pairs only: an odd map is a row
   * larger than that.
   */
  private Size builtMap(Recorder r, int stage) {
    Size image = config.fixedWindows() ? config.image() : new Size(r.input().shape().dim(1), r.input().shape().dim(2));
    return config.builtMap(stage, image);
  }

  private Weights attentionBias(SwinConfig rules, Block block, Size window) {
    return constants.get(List.of(block.biasTable, window, rules.behaviour() == Behaviour.TIMM), () -> RelativePositions
        .pack(backend, block.biasTable.channels(), window, () -> biasTable(rules, block, window)));
  }

  /** The table, resized as the published loaders do if the window differs from the trained one. */
  private static Table biasTable(SwinConfig rules, Block block, Size window) {
    int rows = 2 * window.rows() - 1;
    int columns = 2 * window.columns() - 1;
    Table table = block.biasTable;
    if (table.height() == rows && table.width() == columns) {
      return table;
    }
    return rules.behaviour() == Behaviour.TIMM ? TableResize.geometric(table, rows, columns)
        : TableResize.bicubic(table, rows, columns);
  }

  private Tensor merge(Recorder r, SwinConfig rules, Linear reduction, Tensor x) {
    Size map = map(x);
    int batch = x.shape().dim(0);
    if (rules.behaviour() == Behaviour.OFFICIAL && (map.rows() % 2 != 0 || map.columns() % 2 != 0)) {
      throw refused(r, "patch merging needs an even map, not " + map.rows() + "x" + map.columns() + " tokens");
    }
    Size merged = new Size((map.rows() + 1) / 2, (map.columns() + 1) / 2);
    RowMap gather = RowMap.of((long) batch * merged.area() * 4, 4, i -> {
      int token = i / 4;
      // The row's parity varies fastest among the four.
      int row = token / merged.columns() % merged.rows() * 2 + i % 2;
      int column = token % merged.columns() * 2 + i % 4 / 2;
      return row >= map.rows() || column >= map.columns() ? -1
          : (token / merged.area() * map.rows() + row) * map.columns() + column;
    });
    return r.record("reduction", reduction.gather(gather), x,
        Shape.of(batch, merged.rows(), merged.columns(), 2 * x.shape().channels()));
  }

  private Weights constant(List<Object> key, Shape shape, Supplier<float[]> values) {
    return constants.get(key, () -> backend.packValues(shape, values));
  }

  @Override
  public Signature signature() {
    return signature;
  }
}
