package io.vertebra.backbone.hornet;

import io.vertebra.backbone.TableResize;
import io.vertebra.backbone.TableResize.Table;
import io.vertebra.backbone.hornet.HorNetConfig.Spatial;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Size;
import io.vertebra.weights.Json;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.Renamed;
import io.vertebra.weights.WeightsException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/** Checkpoints of HorNets: their parameter names, official or open-mmlab's, and what they tell about the model. */
final class HorNetCheckpoint {
  private static final String FIRST = "downsample_layers.0.0.weight";

  private HorNetCheckpoint() {}

  /**
   * The source with the official names: without what training frameworks put before every name ({@code module.},
   * {@code backbone.}), necks and dense heads, and with mmpretrain's names turned back. Global filters of another size
   * than the model's are resized to it, as the official loader does.
   */
  static ParameterSource official(ParameterSource source) {
    String prefix = Renamed.prefix(source, FIRST);
    String outer = prefix.endsWith("backbone.") ? prefix.substring(0, prefix.length() - "backbone.".length()) : prefix;
    String head = outer + "head.fc.";
    boolean pretrained = source.names().contains(head + "weight");
    ParameterSource renamed = Renamed.of(source, name -> {
      if (pretrained && name.startsWith(head)) {
        return "head." + name.substring(head.length());
      }
      return name.startsWith(prefix) ? officialName(name.substring(prefix.length()), pretrained) : null;
    });
    return renamed.finding((name, expected) -> {
      Parameter found = renamed.find(name, expected);
      return found == null || expected == null || !name.endsWith("complex_weight") ? found : resized(found, expected);
    });
  }

  /** mmpretrain's classifier has the final norm as that of the last stage. */
  private static String officialName(String name, boolean pretrained) {
    String official = name.replace(".gnconv.projs.", ".gnconv.pws.").replace(".gamma1.weight", ".gamma1")
        .replace(".gamma2.weight", ".gamma2");
    return pretrained && official.startsWith("norm3.") ? "norm" + official.substring("norm3".length()) : official;
  }

  private static Parameter resized(Parameter filter, Shape expected) {
    Shape shape = filter.shape();
    boolean resizable = shape.rank() == 4 && expected.rank() == 4 && shape.dim(0) == expected.dim(0)
        && shape.dim(3) == 2 && filter.dtype().isFloat() && !shape.equals(expected);
    return !resizable ? filter : Parameter.computed(filter.name(), expected, into -> {
      Table stored = GlobalLocalFilter.spectrum(filter.toFloats(), new Size(shape.dim(1), shape.dim(2)));
      Table table = TableResize.alignedBilinear(stored, expected.dim(1), expected.dim(2));
      into.put(GlobalLocalFilter.published(table));
    });
  }

  /** Whether the parameters are a HorNet's. */
  static boolean matches(ParameterSource source) {
    return official(source).names().contains("stages.0.0.gnconv.proj_in.weight");
  }

  /**
   * {@code config} with the classes and layer scales the checkpoint has, and as dense backbone if its norms are one's.
   */
  static HorNetConfig adapt(HorNetConfig config, ParameterSource source) {
    if (source.names().isEmpty()) {
      return config;
    }
    ParameterSource official = official(source);
    int classes = official.names().contains("head.weight") ? shape(official, "head.weight", 2).dim(0) : 0;
    boolean dense = classes == 0 && !official.names().contains("norm.weight");
    return config.with(official.names().contains("stages.0.0.gamma1"), classes, dense);
  }

  /**
   * The configuration a checkpoint's metadata states, or else its shapes imply.
   *
   * @throws WeightsException if neither tells
   */
  static HorNetConfig recognise(ParameterSource source) {
    String stated = source.metadata().get("config");
    return adapt(stated != null ? HorNetConfig.of(Json.parseObject(stated), false) : implied(official(source)), source);
  }

  /** The scale s leaves no trace in parameters; all published models have the same. */
  private static HorNetConfig implied(ParameterSource source) {
    Shape stem = shape(source, FIRST, 4);
    List<Integer> depths = new ArrayList<>();
    List<Spatial> spatial = new ArrayList<>();
    for (int stage = 0; source.names().contains(block(stage, 0) + "norm1.weight"); stage++) {
      depths.add(count(source, "stages." + stage + ".", ".norm1.weight"));
      String gnconv = block(stage, 0) + "gnconv.";
      String filter = gnconv + "dwconv.complex_weight";
      Optional<Size> stored = Optional.empty();
      if (source.names().contains(filter)) {
        Shape shape = shape(source, filter, 4);
        stored = Optional.of(new Size(shape.dim(1), shape.dim(2)));
      }
      spatial.add(new Spatial(1 + count(source, gnconv + "pws.", ".weight"), HorNetConfig.SCALE, stored));
    }
    return new HorNetConfig(stem.dim(1), stem.dim(0), List.copyOf(depths), List.copyOf(spatial), true, 0, false,
        IntStream.range(0, depths.size()).boxed().toList());
  }

  private static String block(int stage, int block) {
    return "stages." + stage + "." + block + ".";
  }

  private static int count(ParameterSource source, String before, String after) {
    int count = 0;
    while (source.names().contains(before + count + after)) {
      count++;
    }
    return count;
  }

  private static Shape shape(ParameterSource source, String name, int rank) {
    Parameter parameter = source.find(name, null);
    if (parameter == null) {
      throw new WeightsException(source.describe() + " is no complete HorNet: it lacks " + name);
    }
    if (parameter.shape().rank() != rank) {
      throw new WeightsException(
          source.describe() + " is no HorNet: " + parameter + " should have " + rank + " dimensions");
    }
    return parameter.shape();
  }
}
