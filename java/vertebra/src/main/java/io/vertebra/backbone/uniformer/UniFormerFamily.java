package io.vertebra.backbone.uniformer;

import io.vertebra.backbone.Family;
import io.vertebra.backbone.Variant;
import io.vertebra.backbone.uniformer.UniFormerConfig.Kind;
import io.vertebra.tensor.Size;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * UniFormers of Sense-X/UniFormer. Names are the published functions', with {@code tl} for the token labelling models,
 * which are called as the plain ones, and suffixes for what the releases keep in folders: a video model's data set and
 * clip (frames x stride), a dense model's attention in stage 3 (h14: hybrid in windows of 14), the input size.
 */
public final class UniFormerFamily {
  private static final List<Integer> WIDTHS = List.of(64, 128, 320, 512);
  private static final List<Integer> SMALL = List.of(3, 4, 8, 3);
  private static final List<Integer> SMALL_PLUS = List.of(3, 5, 9, 3);
  private static final List<Integer> BASE = List.of(5, 8, 20, 7);

  private UniFormerFamily() {}

  public static Family family() {
    List<Variant> variants = variants();
    return new Family("uniformer", variants, UniFormerCheckpoint::matches,
        source -> UniFormerCheckpoint.recognise(source, variants));
  }

  private static List<Variant> variants() {
    List<Variant> variants = new ArrayList<>();
    addImage(variants);
    addTokenLabelling(variants);
    addLight(variants);
    addVideo(variants, "small", SMALL);
    addVideo(variants, "base", BASE);
    addDense(variants, "small", SMALL);
    addDense(variants, "base", BASE);
    return variants;
  }

  private static void addImage(List<Variant> variants) {
    add(variants, "uniformer_small", 82.9, config(Kind.IMAGE, SMALL, 64));
    add(variants, "uniformer_small_plus", 83.4, config(Kind.IMAGE, SMALL_PLUS, 32, "conv_stem", true));
    add(variants, "uniformer_small_plus_dim64", null, config(Kind.IMAGE, SMALL_PLUS, 64, "conv_stem", true));
    add(variants, "uniformer_base", 83.8, config(Kind.IMAGE, BASE, 64));
    add(variants, "uniformer_base_ls", 83.9, config(Kind.IMAGE, BASE, 64, "layer_scale", true));
  }

  private static void addTokenLabelling(List<Variant> variants) {
    Kind kind = Kind.TOKEN_LABELING;
    UniFormerConfig small = config(kind, SMALL, 32);
    UniFormerConfig plus = config(kind, SMALL_PLUS, 32, "conv_stem", true);
    UniFormerConfig base = config(kind, BASE, 32);
    UniFormerConfig large
        = config(kind, List.of(5, 10, 24, 7), 64, "embed_dim", List.of(128, 192, 448, 640), "layer_scale", true);
    add(variants, "uniformer_tl_small", 83.4, small);
    add(variants, "uniformer_tl_small_384", 84.6, at(small, 384));
    add(variants, "uniformer_tl_small_dim64", null, config(kind, SMALL, 64));
    add(variants, "uniformer_tl_small_plus", 83.9, plus);
    add(variants, "uniformer_tl_small_plus_384", 84.9, at(plus, 384));
    add(variants, "uniformer_tl_small_plus_dim64", 83.6, config(kind, SMALL_PLUS, 64, "conv_stem", true));
    add(variants, "uniformer_tl_base", 85.1, base);
    add(variants, "uniformer_tl_base_384", 86.0, at(base, 384));
    add(variants, "uniformer_tl_base_dim64", 84.8, config(kind, BASE, 64));
    add(variants, "uniformer_tl_large_ls", 85.6, large);
    add(variants, "uniformer_tl_large_ls_384", 86.3, at(large, 384));
  }

  private static void addLight(List<Variant> variants) {
    UniFormerConfig xxs = light(Kind.LIGHT, true);
    UniFormerConfig xs = light(Kind.LIGHT, false);
    add(variants, "uniformer_xxs_128", 76.8, at(xxs, 128));
    add(variants, "uniformer_xxs_160", 79.1, at(xxs, 160));
    add(variants, "uniformer_xxs_192", 79.9, at(xxs, 192));
    add(variants, "uniformer_xxs_224", 80.6, xxs);
    add(variants, "uniformer_xs_192", 81.5, at(xs, 192));
    add(variants, "uniformer_xs_224", 82.0, xs);
    add(variants, "uniformer_light_dense_xxs", null, light(Kind.LIGHT_DENSE, true).withInput(0, new Size(800, 1280)));
    add(variants, "uniformer_light_dense_xs", null, light(Kind.LIGHT_DENSE, false).withInput(0, new Size(800, 1280)));
    UniFormerConfig video = light(Kind.LIGHT_VIDEO, true, "num_classes", 400);
    UniFormerConfig scaled = light(Kind.LIGHT_VIDEO, true, "num_classes", 400, "layer_scale", true);
    add(variants, "uniformer_light_video_xxs_4x128", 63.2, scaled.withInput(4, Size.square(128)));
    add(variants, "uniformer_light_video_xxs_4x160", 65.8, scaled.withInput(4, Size.square(160)));
    add(variants, "uniformer_light_video_xxs_8x128", 68.3, scaled.withInput(8, Size.square(128)));
    add(variants, "uniformer_light_video_xxs_8x160", 71.4, video.withInput(8, Size.square(160)));
    add(variants, "uniformer_light_video_xxs_16x128", 73.3, video.withInput(16, Size.square(128)));
    add(variants, "uniformer_light_video_xxs_16x160", 75.1, video.withInput(16, Size.square(160)));
    add(variants, "uniformer_light_video_xxs_32x160", 77.9, video.withInput(32, Size.square(160)));
    add(variants, "uniformer_light_video_xs_32x192", 78.6,
        light(Kind.LIGHT_VIDEO, false, "num_classes", 400).withInput(32, Size.square(192)));
  }

  private static void addVideo(List<Variant> variants, String size, List<Integer> depths) {
    boolean small = depths == SMALL;
    String name = "uniformer_video_" + size;
    UniFormerConfig k400 = config(Kind.VIDEO, depths, 64, "num_classes", 400);
    UniFormerConfig k600 = config(Kind.VIDEO, depths, 64, "num_classes", 600);
    UniFormerConfig something = config(Kind.VIDEO, depths, 64, "num_classes", 174);
    add(variants, name + "_k400", small ? 80.8 : 82.0, k400);
    add(variants, name + "_k400_8x8", small ? 78.4 : 79.8, k400.withInput(8, k400.image()));
    add(variants, name + "_k400_16x8", small ? 80.8 : 81.7, k400);
    add(variants, name + "_k400_32x4", small ? 82.0 : 82.9, k400.withInput(32, k400.image()));
    add(variants, name + "_k600", small ? 82.8 : 84.0, k600);
    add(variants, name + "_k600_16x8", small ? 82.7 : 83.4, k600);
    if (!small) {
      add(variants, name + "_k600_32x4", 84.5, k600.withInput(32, k600.image()));
    }
    // The better of two pre-trainings.
    add(variants, name + "_ssv1", small ? 57.6 : 59.1, something);
    add(variants, name + "_ssv1_32", small ? 59.9 : 61.0, something.withInput(32, something.image()));
    add(variants, name + "_ssv2", small ? 69.4 : 70.4, something);
    add(variants, name + "_ssv2_32", small ? 70.4 : 71.2, something.withInput(32, something.image()));
  }

  /** Inputs are those the models were trained on: detection 800 x 1280, segmentation 512 x 512, pose 256 x 192. */
  private static void addDense(List<Variant> variants, String size, List<Integer> depths) {
    String name = "uniformer_dense_" + size;
    Size square = Size.square(512);
    add(variants, name, null, config(Kind.DENSE, depths, 64).withInput(0, square));
    add(variants, name + "_h14", null,
        config(Kind.DENSE, depths, 64, "hybrid", true, "window_size", 14).withInput(0, new Size(800, 1280)));
    add(variants, name + "_h32", null,
        config(Kind.DENSE, depths, 64, "hybrid", true, "window_size", 32).withInput(0, square));
    add(variants, name + "_w32", null,
        config(Kind.DENSE, depths, 64, "windows", true, "window_size", 32).withInput(0, square));
    add(variants, "uniformer_pose_" + size, null, config(Kind.POSE, depths, 64).withInput(0, new Size(256, 192)));
  }

  private static void add(List<Variant> variants, String name, Double top1, UniFormerConfig config) {
    variants.add(new Variant(name, config, Optional.ofNullable(top1)));
  }

  private static UniFormerConfig at(UniFormerConfig config, int size) {
    return config.withInput(0, Size.square(size));
  }

  private static UniFormerConfig light(Kind kind, boolean xxs, Object... options) {
    List<Integer> depths = xxs ? List.of(2, 5, 8, 2) : List.of(3, 5, 9, 3);
    List<Double> third = new ArrayList<>(Collections.nCopies(depths.get(2), 0.5));
    third.set(0, 1.0);
    List<List<Double>> ratios = List.of(List.of(), List.of(), third, Collections.nCopies(depths.get(3), 0.5));
    List<Integer> widths = xxs ? List.of(56, 112, 224, 448) : List.of(64, 128, 256, 512);
    List<Object> all = new ArrayList<>(
        List.of("embed_dim", widths, "mlp_ratio", 3, "conv_stem", true, "prune_ratio", ratios, "trade_off", ratios));
    all.addAll(List.of(options));
    return config(kind, depths, xxs ? 28 : 32, all.toArray());
  }

  /** @param options names and values of constructor arguments, in turn */
  private static UniFormerConfig config(Kind kind, List<Integer> depths, int headDim, Object... options) {
    Map<String, Object> arguments = new HashMap<>(Map.of("depth", depths, "embed_dim", WIDTHS, "head_dim", headDim));
    for (int i = 0; i < options.length; i += 2) {
      arguments.put((String) options[i], options[i + 1]);
    }
    return UniFormerConfig.of(arguments, kind);
  }
}
