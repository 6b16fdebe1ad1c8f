package io.vertebra.backbone.coatnet;

import io.vertebra.backbone.Family;
import io.vertebra.backbone.Variant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** CoAtNets as timm configures them: the paper's sizes, which have no public weights, and the models trained there. */
public final class CoAtNetFamily {
  /** Classes of the models pretrained on ImageNet-12k. */
  private static final int CLASSES_12K = 11821;

  private static final List<Integer> NANO = List.of(64, 128, 256, 512);
  private static final List<Integer> SMALL = List.of(96, 192, 384, 768);
  private static final List<Integer> MEDIUM = List.of(128, 256, 512, 1024);
  private static final List<Integer> LARGE = List.of(192, 384, 768, 1536);
  private static final List<Integer> DEPTHS_NANO = List.of(3, 4, 6, 3);
  private static final List<Integer> DEPTHS_0 = List.of(2, 3, 7, 2);
  private static final List<Integer> DEPTHS_1 = List.of(2, 6, 14, 2);

  /** Arguments of convolution blocks that the models trained at timm share. */
  private static final Map<String, Object> TRAINED = Map.of("expand_output", false, "act_layer", "silu");
  private static final Map<String, Object> ACTIVATED = with(TRAINED, "pre_norm_act", true, "output_bias", false);
  private static final Map<String, Object> EARLY = with(ACTIVATED, "attn_early", true, "attn_act_layer", "relu");

  /** Arguments of transformer blocks. */
  private static final Map<String, Object> BIASED = Map.of("expand_first", false);
  private static final Map<String, Object> UNBIASED = with(BIASED, "shortcut_bias", false);
  private static final Map<String, Object> COMPUTED = with(BIASED, "rel_pos_type", "mlp");
  private static final Map<String, Object> SCALED = Map.of("init_values", 1e-6);

  private final List<Variant> variants = new ArrayList<>();

  public static Family family() {
    List<Variant> variants = new CoAtNetFamily().variants;
    List<CoAtNetConfig> published = variants.stream().map(variant -> (CoAtNetConfig) variant.architecture()).toList();
    return new Family("coatnet", variants, CoAtNetCheckpoint::matches,
        source -> CoAtNetCheckpoint.recognise(source, published));
  }

  private CoAtNetFamily() {
    paper("coatnet_0_224", SMALL, List.of(2, 3, 5, 2), 64);
    paper("coatnet_1_224", SMALL, DEPTHS_1, 64);
    paper("coatnet_2_224", MEDIUM, DEPTHS_1, 128);
    paper("coatnet_3_224", LARGE, DEPTHS_1, 192);
    paper("coatnet_4_224", LARGE, List.of(2, 12, 28, 2), 192);
    paper("coatnet_5_224", List.of(256, 512, 1280, 2048), List.of(2, 12, 28, 2), 192);
    trained("coatnet_pico_rw_224", NANO, List.of(2, 3, 5, 2), TRAINED, BIASED, 0);
    trained("coatnet_nano_rw_224", NANO, DEPTHS_NANO, with(TRAINED, "stride_mode", "pool"), BIASED, 81.704);
    trained("coatnet_0_rw_224", SMALL, DEPTHS_0, with(EARLY, "stride_mode", "pool"), UNBIASED, 82.396);
    trained("coatnet_1_rw_224", SMALL, DEPTHS_1, EARLY, UNBIASED, 83.620);
    trained("coatnet_2_rw_224", MEDIUM, DEPTHS_1, ACTIVATED, BIASED, 86.582);
    trained12k();
    trained("coatnet_3_rw_224", LARGE, DEPTHS_1, ACTIVATED, with(BIASED, SCALED), 0);
    trained12k();
    trained("coatnet_bn_0_rw_224", SMALL, DEPTHS_0, EARLY, with(UNBIASED, "norm_layer", "batchnorm2d"), 82.394);
    trained("coatnet_rmlp_nano_rw_224", NANO, DEPTHS_NANO, TRAINED, with(COMPUTED, "rel_pos_dim", 384), 82.064);
    trained("coatnet_rmlp_0_rw_224", SMALL, DEPTHS_0, with(ACTIVATED, "attn_act_layer", "relu"), COMPUTED, 0);
    trained("coatnet_rmlp_1_rw_224", SMALL, DEPTHS_1, with(EARLY, "stride_mode", "pool", "pool_type", "max"),
        with(with(UNBIASED, COMPUTED), "pool_type", "max", "rel_pos_dim", 384), 83.350);
    trained("coatnet_rmlp_1_rw2_224", SMALL, DEPTHS_1, with(ACTIVATED, "attn_act_layer", "relu"), COMPUTED, 84.940);
    trained12k();
    trained("coatnet_rmlp_2_rw_224", MEDIUM, DEPTHS_1, ACTIVATED, with(COMPUTED, SCALED), 86.538);
    trained12k();
    add("coatnet_rmlp_2_rw_384", arguments(MEDIUM, DEPTHS_1, ACTIVATED, with(COMPUTED, SCALED)),
        Map.of("img_size", 384), 87.388);
    trained("coatnet_rmlp_3_rw_224", LARGE, DEPTHS_1, ACTIVATED, with(COMPUTED, SCALED), 0);
    add("coatnet_nano_cc_224",
        arguments(NANO, DEPTHS_NANO, with(ACTIVATED, "stride_mode", "pool", "attn_act_layer", "relu"), BIASED),
        Map.of("block_type", List.of("C", "C", List.of("C", "T"), List.of("C", "T"))), 0);
    trained("coatnext_nano_rw_224", NANO, DEPTHS_NANO,
        Map.of("block_type", "convnext", "expand_output", false, "init_values", 1e-5), BIASED, 81.998);
  }

  private void paper(String name, List<Integer> widths, List<Integer> depths, int stem) {
    add(name, Map.of("embed_dim", widths, "depths", depths, "stem_width", stem),
        Map.of("head_hidden_size", widths.get(3)), 0);
  }

  private void trained(String name, List<Integer> widths, List<Integer> depths, Map<String, Object> conv,
      Map<String, Object> transformer, double top1) {
    add(name, arguments(widths, depths, conv, transformer), Map.of(), top1);
  }

  /** The model added last, with the classifier of its pretraining. */
  private void trained12k() {
    Variant last = variants.get(variants.size() - 1);
    CoAtNetConfig config = (CoAtNetConfig) last.architecture();
    variants.add(new Variant(last.name() + "_12k", config.with(config.image(), CLASSES_12K), Optional.empty()));
  }

  /** @param top1 0: not published */
  private void add(String name, Map<String, Object> arguments, Map<String, Object> more, double top1) {
    variants.add(
        new Variant(name, CoAtNetConfig.of(with(arguments, more)), top1 == 0 ? Optional.empty() : Optional.of(top1)));
  }

  private static Map<String, Object> arguments(List<Integer> widths, List<Integer> depths, Map<String, Object> conv,
      Map<String, Object> transformer) {
    int stem = widths.get(0) < 128 ? 64 : widths.get(0);
    return Map.of("embed_dim", widths, "depths", depths, "stem_width", List.of(stem / 2, stem), "conv_cfg", conv,
        "transformer_cfg", transformer);
  }

  private static Map<String, Object> with(Map<String, Object> arguments, Map<String, Object> more) {
    Map<String, Object> both = new HashMap<>(arguments);
    both.putAll(more);
    return Map.copyOf(both);
  }

  private static Map<String, Object> with(Map<String, Object> arguments, String name, Object value) {
    return with(arguments, Map.of(name, value));
  }

  private static Map<String, Object> with(Map<String, Object> arguments, String name1, Object value1, String name2,
      Object value2) {
    return with(arguments, Map.of(name1, value1, name2, value2));
  }
}
