package io.vertebra.backbone.coatnet;

import io.vertebra.backbone.coatnet.CoAtNetConfig.BlockKind;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Size;
import io.vertebra.weights.Naming;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.WeightsException;
import java.util.ArrayList;
import java.util.List;

/** Checkpoints of CoAtNets, all of them timm's: their parameter names, and what they tell about the model. */
final class CoAtNetCheckpoint {
  private static final String FIRST = "stem.conv1.weight";
  private static final String HEAD = "head.fc.weight";
  private static final String TABLE = ".attn.rel_pos.relative_position_bias_table";

  private CoAtNetCheckpoint() {}

  /**
   * The source's names, with the weights of 1 x 1 convolutions in the rank that is asked for: a file may have them as
   * matrices, or matrices as convolutions.
   */
  static Naming naming(ParameterSource source) {
    return Naming.of("CoAtNet", source, FIRST).adapted(CoAtNetCheckpoint::reshaped);
  }

  /** A parameter in the shape that is asked for where only axes of length 1 at the end differ. */
  private static Parameter reshaped(Parameter parameter, Shape expected) {
    boolean same = parameter.shape().equals(expected) || expected.rank() < 2
        || !matrix(parameter.shape()).equals(matrix(expected));
    return same ? parameter : parameter.reshaped(expected);
  }

  /** The shape without axes of length 1 behind the second. */
  private static List<Integer> matrix(Shape shape) {
    List<Integer> dims = new ArrayList<>();
    for (int axis = 0; axis < shape.rank(); axis++) {
      dims.add(shape.dim(axis));
    }
    while (dims.size() > 2 && dims.get(dims.size() - 1) == 1) {
      dims.remove(dims.size() - 1);
    }
    return dims;
  }

  /** Whether the parameters are a CoAtNet's. */
  static boolean matches(ParameterSource source) {
    Naming naming = naming(source);
    return naming.has(FIRST)
        && (naming.has("stages.0.blocks.0.conv1_1x1.weight") || naming.has("stages.0.blocks.0.conv_dw.weight"));
  }

  /** {@code config} with the classes the checkpoint has, and the input size its tables of relative biases are for. */
  static CoAtNetConfig adapt(CoAtNetConfig config, ParameterSource source) {
    Naming naming = naming(source);
    return naming.isListed() ? config.with(tableImage(config, naming), naming.rows(HEAD)) : config;
  }

  /** The input size of the first table; tables of square maps alone tell one. */
  private static Size tableImage(CoAtNetConfig config, Naming naming) {
    for (int stage = 0; stage < config.stages(); stage++) {
      int block = config.blocks().get(stage).indexOf(BlockKind.TRANSFORMER);
      String table = "stages." + stage + ".blocks." + block + TABLE;
      if (block >= 0 && naming.has(table)) {
        int rows = naming.rows(table);
        Size built = config.builtMap(stage, config.image());
        int side = (int) Math.round(Math.sqrt(rows));
        boolean differs = rows != (2 * built.rows() - 1) * (2 * built.columns() - 1);
        return differs && side * side == rows && side % 2 == 1 ? Size.square((side + 1) / 2 * (4 << stage))
            : config.image();
      }
    }
    return config.image();
  }

  /**
   * The configuration a checkpoint's metadata states, or else that of the published model of the same shapes.
   *
   * @throws WeightsException if neither tells
   */
  static CoAtNetConfig recognise(ParameterSource source, List<CoAtNetConfig> published) {
    Naming naming = naming(source);
    return adapt(naming.config().map(CoAtNetConfig::of).orElseGet(() -> matching(naming, published)), source);
  }

  private static CoAtNetConfig matching(Naming naming, List<CoAtNetConfig> published) {
    Visible visible = Visible.of(naming);
    return published.stream().filter(candidate -> Visible.of(candidate).equals(visible)).findFirst()
        .orElseThrow(() -> new WeightsException(
            naming.source().describe() + " is a CoAtNet of none of the published configurations, and its shapes do"
                + " not tell its activations and strides; name the model's configuration"));
  }

  /** What names and shapes tell of a configuration, which is enough to tell the published ones apart. */
  private record Visible(List<Integer> stem, List<Integer> widths, List<Integer> depths, boolean convNext,
      boolean earlyExcitation, boolean convolvesLate, boolean batchNorm, boolean layerScale, int biasHidden) {

    static Visible of(CoAtNetConfig config) {
      return new Visible(config.stem(), config.widths(), config.depths(), config.conv().convNext(),
          config.conv().earlyExcitation(), config.blocks().get(config.stages() - 1).contains(BlockKind.CONVOLUTION),
          config.transformer().batchNorm(), config.transformer().layerScale(), config.transformer().biasHidden());
    }

    static Visible of(Naming naming) {
      List<Integer> widths = new ArrayList<>();
      List<Integer> depths = new ArrayList<>();
      for (int stage = 0; lastLayer(naming, stage, 0) != null; stage++) {
        widths.add(naming.rows(lastLayer(naming, stage, 0)));
        int depth = 1;
        while (lastLayer(naming, stage, depth) != null) {
          depth++;
        }
        depths.add(depth);
      }
      String stage = "stages." + (depths.size() - 1) + ".blocks.";
      String last = stage + (depths.get(depths.size() - 1) - 1);
      String hidden = last + ".attn.rel_pos.mlp.fc1.weight";
      return new Visible(List.of(naming.shape(FIRST, 2).dim(0), naming.shape("stem.conv2.weight", 2).dim(0)), widths,
          depths, naming.has("stages.0.blocks.0.conv_dw.weight"), naming.has("stages.0.blocks.0.se_early.fc1.weight"),
          naming.has(stage + "0.conv1_1x1.weight"), naming.has(last + ".norm2.running_mean"),
          naming.has(last + ".ls1.gamma"), naming.rows(hidden));
    }

    /** The layer that gives a block's output, or null if there is no such block. */
    private static String lastLayer(Naming naming, int stage, int block) {
      String name = "stages." + stage + ".blocks." + block;
      return naming.has(name + ".conv3_1x1.weight") ? name + ".conv3_1x1.weight"
          : naming.has(name + ".mlp.fc2.weight") ? name + ".mlp.fc2.weight" : null;
    }
  }
}
