package io.vertebra.backbone.hornet;

import io.vertebra.backbone.TableResize;
import io.vertebra.backbone.TableResize.Table;
import io.vertebra.backbone.hornet.HorNetConfig.Spatial;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Size;
import io.vertebra.weights.Naming;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.WeightsException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/** Checkpoints of HorNets: their parameter names, official or open-mmlab's, and what they tell about the model. */
final class HorNetCheckpoint {
  private static final String FIRST = "downsample_layers.0.0.weight";
  /** Times as many values that a filter may be resized to; from 14x8 to an input of 1024 pixels it is 19. */
  private static final long MAX_ENLARGEMENT = 32;

  private HorNetCheckpoint() {}

  /**
   * The official names, or mmpretrain's if the source has its layout: its classifier stands beside the backbone. Global
   * filters of another size than the model's are resized to it, as the official loader does, unless it is far larger.
   */
  static Naming naming(ParameterSource source) {
    Naming official = Naming.of("HorNet", source, FIRST);
    String head = official.prefixBefore("backbone.") + "head.fc.";
    Naming named = source.names().contains(head + "weight")
        ? official.renamed(name -> mmpretrainName(swappedNorms(name))).moved("head.", head)
        : official.has("stages.0.0.gnconv.projs.0.weight") ? official.renamed(HorNetCheckpoint::mmpretrainName)
            : official;
    return named.adapted(HorNetCheckpoint::resized);
  }

  private static String mmpretrainName(String official) {
    return official.replace(".gnconv.pws.", ".gnconv.projs.").replaceAll("\\.gamma[12]$", "$0.weight");
  }

  /** mmpretrain's classifier has the final norm as that of the last stage, which has none of its own. */
  private static String swappedNorms(String official) {
    return official.startsWith("norm.") ? official.replace("norm.", "norm3.")
        : official.replaceAll("^norm3\\.", "norm.");
  }

  private static Parameter resized(Parameter filter, Shape expected) {
    Shape shape = filter.shape();
    boolean resizable = filter.name().endsWith("complex_weight") && shape.rank() == 4 && expected.rank() == 4
        && shape.dim(0) == expected.dim(0) && shape.dim(3) == 2 && filter.dtype().isFloat() && !shape.equals(expected)
        && expected.elements() / MAX_ENLARGEMENT <= shape.elements();
    return !resizable ? filter : Parameter.computed(filter.name(), expected, into -> {
      Table stored = GlobalLocalFilter.spectrum(filter.toFloats(), new Size(shape.dim(1), shape.dim(2)));
      Table table = TableResize.alignedBilinear(stored, expected.dim(1), expected.dim(2));
      into.put(GlobalLocalFilter.published(table));
    });
  }

  /** Whether the parameters are a HorNet's. */
  static boolean matches(ParameterSource source) {
    return naming(source).has("stages.0.0.gnconv.proj_in.weight");
  }

  /**
   * {@code config} with the classes and layer scales the checkpoint has, and as dense backbone if its norms are one's.
   */
  static HorNetConfig adapt(HorNetConfig config, ParameterSource source) {
    Naming naming = naming(source);
    if (!naming.isListed()) {
      return config;
    }
    int classes = naming.rows("head.weight");
    return config.with(naming.has("stages.0.0.gamma1"), classes, classes == 0 && !naming.has("norm.weight"));
  }

  /**
   * The configuration a checkpoint's metadata states, or else its shapes imply.
   *
   * @throws WeightsException if neither tells
   */
  static HorNetConfig recognise(ParameterSource source) {
    Naming naming = naming(source);
    HorNetConfig config
        = naming.config().map(stated -> HorNetConfig.of(stated, false)).orElseGet(() -> implied(naming));
    return adapt(config, source);
  }

  /** The scale s leaves no trace in parameters; all published models have the same. */
  private static HorNetConfig implied(Naming naming) {
    Shape stem = naming.shape(FIRST, 4);
    List<Integer> depths = new ArrayList<>();
    List<Spatial> spatial = new ArrayList<>();
    for (int stage = 0; naming.has(block(stage, 0) + "norm1.weight"); stage++) {
      depths.add(naming.count("stages." + stage + ".", 0, ".norm1.weight"));
      String gnconv = block(stage, 0) + "gnconv.";
      String filter = gnconv + "dwconv.complex_weight";
      Optional<Size> stored = Optional.empty();
      if (naming.has(filter)) {
        Shape shape = naming.shape(filter, 4);
        stored = Optional.of(new Size(shape.dim(1), shape.dim(2)));
      }
      spatial.add(new Spatial(1 + naming.count(gnconv + "pws.", 0, ".weight"), HorNetConfig.SCALE, stored));
    }
    return new HorNetConfig(stem.dim(1), stem.dim(0), List.copyOf(depths), List.copyOf(spatial), true, 0, false,
        IntStream.range(0, depths.size()).boxed().toList());
  }

  private static String block(int stage, int block) {
    return "stages." + stage + "." + block + ".";
  }
}
