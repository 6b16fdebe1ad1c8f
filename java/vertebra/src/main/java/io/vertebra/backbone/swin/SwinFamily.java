package io.vertebra.backbone.swin;

import io.vertebra.backbone.Family;
import io.vertebra.backbone.Variant;
import io.vertebra.backbone.swin.SwinConfig.Behaviour;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Swin Transformers: the official releases and timm's s3 models. */
public final class SwinFamily {
  private SwinFamily() {}

  public static Family family() {
    return new Family("swin", variants(), SwinCheckpoint::matches, SwinCheckpoint::recognise);
  }

  private static List<Variant> variants() {
    List<Variant> variants = new ArrayList<>();
    List<Integer> tinyHeads = List.of(3, 6, 12, 24);
    addSwin(variants, "swin_tiny_patch4_window7_224", 224, 96, 6, tinyHeads, 7, 81.2);
    addSwin(variants, "swin_small_patch4_window7_224", 224, 96, 18, tinyHeads, 7, 83.2);
    addSwin(variants, "swin_base_patch4_window7_224", 224, 128, 18, List.of(4, 8, 16, 32), 7, 83.5);
    addSwin(variants, "swin_base_patch4_window12_384", 384, 128, 18, List.of(4, 8, 16, 32), 12, 84.5);
    addSwin(variants, "swin_large_patch4_window7_224", 224, 192, 18, List.of(6, 12, 24, 48), 7, 86.3);
    addSwin(variants, "swin_large_patch4_window12_384", 384, 192, 18, List.of(6, 12, 24, 48), 12, 87.3);
    variants.add(new Variant("swin_tiny_c24_patch4_window8_256",
        SwinConfig.published(256, 96, List.of(2, 2, 6, 2), List.of(4, 8, 16, 32), List.of(8), Behaviour.OFFICIAL),
        Optional.empty()));
    addSwinS3(variants, "swin_s3_tiny_224", 6, List.of(7, 7, 14, 7), 82.128);
    addSwinS3(variants, "swin_s3_small_224", 18, List.of(14, 14, 14, 7), 83.778);
    addSwinS3(variants, "swin_s3_base_224", 30, List.of(7, 7, 14, 7), 83.920);
    return variants;
  }

  /** A released size, with the ImageNet-1k head and with the 22k head. */
  private static void addSwin(List<Variant> variants, String name, int image, int width, int depth, List<Integer> heads,
      int window, double top1) {
    SwinConfig config
        = SwinConfig.published(image, width, List.of(2, 2, depth, 2), heads, List.of(window), Behaviour.OFFICIAL);
    variants.add(new Variant(name, config, Optional.of(top1)));
    variants.add(new Variant(name + "_22k", config.withClasses(21841), Optional.empty()));
  }

  private static void addSwinS3(List<Variant> variants, String name, int depth, List<Integer> windows, double top1) {
    variants.add(new Variant(name,
        SwinConfig.published(224, 96, List.of(2, 2, depth, 2), List.of(3, 6, 12, 24), windows, Behaviour.TIMM),
        Optional.of(top1)));
  }
}
