package io.vertebra.backbone;

import io.vertebra.backbone.coatnet.CoAtNetFamily;
import io.vertebra.backbone.conformer.ConformerFamily;
import io.vertebra.backbone.hornet.HorNetFamily;
import io.vertebra.backbone.swin.SwinFamily;
import io.vertebra.backbone.uniformer.UniFormerFamily;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.WeightsException;
import java.util.List;
import java.util.Optional;

/**
 * A published model by its published name.
 *
 * @param top1 accuracy in per cent on the validation set of ImageNet-1k, of a video model on that of the data set it is named after, as its authors publish it;
 *     empty if they do not
 */
public record Variant(String name, Architecture architecture, Optional<Double> top1) {
  private static final List<Family> FAMILIES = List.of(new SwinFamily(), new HorNetFamily(), new CoAtNetFamily(), new ConformerFamily(), new UniFormerFamily());
  private static final List<Variant> ALL = FAMILIES.stream().flatMap(family -> family.variants().stream()).toList();

  /** All variants, family by family, small to large. */
  public static List<Variant> all() {
    return ALL;
  }

  /** @throws IllegalArgumentException listing the known names if there is no such variant */
  public static Variant named(String name) {
    return ALL.stream().filter(variant -> variant.name.equals(name)).findFirst().orElseThrow(() -> new IllegalArgumentException(
        "no model is called " + name + "; there are " + String.join(", ", ALL.stream().map(Variant::name).toList())));
  }

  /**
   * Recognises family and configuration from a checkpoint's metadata or its parameters' names and shapes.
   *
   * @throws WeightsException if they do not determine a model
   */
  public static Architecture recognise(ParameterSource source) {
    for (Family family : FAMILIES) {
      if (family.matches(source)) {
        return family.recognise(source);
      }
    }
    throw new WeightsException(source.describe() + " is of no known family; name the model it belongs to");
  }
}
