package io.vertebra.backbone.hornet;

import io.vertebra.backbone.Family;
import io.vertebra.backbone.Variant;
import io.vertebra.tensor.Size;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** HorNets: the official releases. */
public final class HorNetFamily {
  /** ImageNet-21K as processed for the release, with the ImageNet-1K classes it lacks. */
  private static final int CLASSES_22K = 10459;
  private static final List<Optional<Size>> DEPTHWISE
      = List.of(Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty());
  private static final List<Optional<Size>> FILTERS_224 = filters(new Size(14, 8), new Size(7, 4));
  private static final List<Optional<Size>> FILTERS_384 = filters(new Size(24, 13), new Size(12, 7));

  private static List<Optional<Size>> filters(Size stage2, Size stage3) {
    return List.of(Optional.empty(), Optional.empty(), Optional.of(stage2), Optional.of(stage3));
  }

  private HorNetFamily() {}

  public static Family family() {
    return new Family("hornet", variants(), HorNetCheckpoint::matches, HorNetCheckpoint::recognise);
  }

  private static List<Variant> variants() {
    List<Variant> variants = new ArrayList<>();
    addPair(variants, "hornet_tiny", 64, 82.8, 83.0);
    addPair(variants, "hornet_small", 96, 83.8, 84.0);
    addPair(variants, "hornet_base", 128, 84.2, 84.3);
    variants
        .add(new Variant("hornet_base_gf_img384", HorNetConfig.published(128, FILTERS_384, 1000), Optional.empty()));
    addLarge(variants, "hornet_large_7x7", DEPTHWISE);
    addLarge(variants, "hornet_large_gf", FILTERS_224);
    addLarge(variants, "hornet_large_gf_img384", FILTERS_384);
    return variants;
  }

  private static void addPair(List<Variant> variants, String name, int width, double top1, double top1Filters) {
    variants.add(new Variant(name + "_7x7", HorNetConfig.published(width, DEPTHWISE, 1000), Optional.of(top1)));
    variants.add(new Variant(name + "_gf", HorNetConfig.published(width, FILTERS_224, 1000), Optional.of(top1Filters)));
  }

  /** Weights were published with the 22k head only. */
  private static void addLarge(List<Variant> variants, String name, List<Optional<Size>> filters) {
    variants.add(new Variant(name, HorNetConfig.published(192, filters, 1000), Optional.empty()));
    variants.add(new Variant(name + "_22k", HorNetConfig.published(192, filters, CLASSES_22K), Optional.empty()));
  }
}
