package io.vertebra.backbone.hornet;

import io.vertebra.backbone.Arguments;
import io.vertebra.backbone.NeckArchitecture;
import io.vertebra.backend.Backend;
import io.vertebra.weights.Naming;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.Parameters;
import io.vertebra.weights.WeightsException;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/**
 * A {@link UperHead} without weights. Immutable.
 *
 * @param in channels of the maps it takes, finest first; at least two
 * @param channels of all its inner maps
 * @param poolScales sides of the pyramid pooling's grids
 * @param gnconv of the convolution of the fused maps
 */
public record UperHeadConfig(List<Integer> in, int channels, List<Integer> poolScales, int classes,
    GnConv.Config gnconv) implements NeckArchitecture {
  private static final int MAX_POOL_SCALE = 1 << 6;

  /** @throws WeightsException for sizes that make no head */
  public UperHeadConfig {
    in = List.copyOf(in);
    poolScales = List.copyOf(poolScales);
    boolean positive = in.stream().allMatch(width -> width > 0)
        && poolScales.stream().allMatch(scale -> scale > 0 && scale <= MAX_POOL_SCALE);
    if (!positive || in.size() < 2 || channels < 1 || classes < 1) {
      throw new WeightsException("UPerNet configuration: " + in + " input channels, " + channels
          + " channels, pool scales " + poolScales + " and " + classes + " classes make no head");
    }
  }

  /**
   * The published head, 512 channels and 150 classes, over maps of these channels ({@code 96, 192, 384, 768} in the
   * release).
   *
   * @param globalFilter its version with a global filter of 32x17, rather than a 7x7 depthwise convolution
   */
  public static UperHeadConfig published(List<Integer> in, boolean globalFilter) {
    return of(Map.of("in_channels", in, "channels", 512, "num_classes", 150, "conv_cfg",
        Map.of("type", globalFilter ? "gngf" : "gnconv", "order", 2, "kernel_size", 7, "proj_out", true)));
  }

  /**
   * Reads the reference's constructor arguments; absent ones have its defaults.
   *
   * @throws WeightsException if an argument is missing, of a wrong type, or unknown
   */
  public static UperHeadConfig of(Map<String, ?> arguments) {
    Arguments args = new Arguments("UPerNet configuration", arguments);
    List<Integer> in = args.integers("in_channels");
    int channels = args.integer("channels", 512);
    GnConv.Config gnconv = GnConvModule.Options.of(args.nested("conv_cfg"), 3)
        .config(Collections.nCopies(in.size(), channels), channels);
    List<Integer> scales = args.integers("pool_scales", List.of(1, 2, 3, 6));
    UperHeadConfig config = new UperHeadConfig(in, channels, scales, args.classes(150), gnconv);
    args.require(!args.flag("align_corners", false), "align_corners is not supported");
    args.ignore(List.of("dropout_ratio"));
    args.finish();
    return config;
  }

  @Override
  public UperHead load(ParameterSource source, Backend backend) {
    Naming naming = Naming.ofPart("UPerNet", source, "decode_head.", "conv_seg.weight");
    return new UperHead(this, new Parameters(naming), backend);
  }
}
