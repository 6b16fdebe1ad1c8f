package io.vertebra;

import io.vertebra.backbone.Architecture;
import io.vertebra.backbone.Family;
import io.vertebra.backbone.Variant;
import io.vertebra.backbone.coatnet.CoAtNetFamily;
import io.vertebra.backbone.conformer.ConformerFamily;
import io.vertebra.backbone.hornet.HorNetFamily;
import io.vertebra.backbone.swin.SwinFamily;
import io.vertebra.backbone.uniformer.UniFormerFamily;
import io.vertebra.tensor.Require;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.WeightsException;
import java.util.List;
import java.util.Optional;

/** The families there are. */
public final class Families {
  /** In the order a checkpoint is tried on them. */
  private static final List<Family> ALL = List.of(SwinFamily.family(), HorNetFamily.family(), CoAtNetFamily.family(),
      ConformerFamily.family(), UniFormerFamily.family());
  private static final List<Variant> VARIANTS = ALL.stream().flatMap(family -> family.variants().stream()).toList();

  private Families() {}

  public static List<Family> all() {
    return ALL;
  }

  /** All published models, family by family, small to large. */
  public static List<Variant> variants() {
    return VARIANTS;
  }

  /** @throws IllegalArgumentException listing the known names if there is no such variant */
  public static Variant named(String name) {
    Require.nonNull(name, "name");
    return VARIANTS.stream().filter(variant -> variant.name().equals(name)).findFirst()
        .orElseThrow(() -> new IllegalArgumentException("no model is called " + name + "; there are "
            + String.join(", ", VARIANTS.stream().map(Variant::name).toList())));
  }

  /** The published model of a configuration, if there is one. */
  public static Optional<Variant> variantOf(Architecture architecture) {
    Require.nonNull(architecture, "architecture");
    return VARIANTS.stream().filter(variant -> variant.architecture().equals(architecture)).findFirst();
  }

  /**
   * Recognises family and configuration from a checkpoint's metadata or its parameters' names and shapes.
   *
   * @throws WeightsException if they do not determine a model
   */
  public static Architecture recognise(ParameterSource source) {
    Require.nonNull(source, "source");
    return ALL.stream().filter(family -> family.matches().test(source)).findFirst()
        .orElseThrow(
            () -> new WeightsException(source.describe() + " is of no known family; name the model it belongs to"))
        .recognise().apply(source);
  }
}
