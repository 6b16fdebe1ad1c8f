package io.vertebra.backbone.hornet;

import io.vertebra.backbone.Arguments;
import io.vertebra.backbone.NeckArchitecture;
import io.vertebra.backend.Backend;
import io.vertebra.weights.Naming;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.Parameters;
import io.vertebra.weights.WeightsException;
import java.util.List;
import java.util.Map;

/**
 * A {@link HorFpn} without weights. Immutable.
 *
 * @param in channels of the maps it takes, finest first
 * @param out channels of all its outputs
 * @param outputs their number, at least that of the maps used; the surplus are the last one subsampled
 * @param startLevel the first map used
 * @param gnconv of the output convolutions
 * @param batchNorm whether lateral and output convolutions have batch norms
 * @param lateralBatchNorm whether those of the lateral ones are there too
 * @param relu whether all convolutions end in ReLU
 */
public record HorFpnConfig(List<Integer> in, int out, int outputs, int startLevel, GnConv.Config gnconv,
    boolean batchNorm, boolean lateralBatchNorm, boolean relu) implements NeckArchitecture {
  private static final int PUBLISHED_CHANNELS = 256;
  private static final int PUBLISHED_OUTPUTS = 5;

  /** @throws WeightsException for numbers of levels that do not fit */
  public HorFpnConfig {
    in = List.copyOf(in);
    boolean levels = startLevel >= 0 && startLevel < in.size() && outputs >= in.size() - startLevel && outputs <= 16;
    if (!levels || in.stream().anyMatch(channels -> channels < 1)) {
      throw new WeightsException("HorFPN configuration: " + in + " input channels from level " + startLevel
          + " on make no " + outputs + " outputs");
    }
  }

  /**
   * The published neck, 256 channels and 5 outputs, over maps of these channels ({@code 96, 192, 384, 768} in the
   * release).
   *
   * @param globalFilter its version with global filters of 32x17, rather than 7x7 depthwise convolutions
   */
  public static HorFpnConfig published(List<Integer> in, boolean globalFilter) {
    return of(
        Map.of("in_channels", in, "out_channels", PUBLISHED_CHANNELS, "num_outs", PUBLISHED_OUTPUTS, "gn_conv_cfg",
            Map.of("type", globalFilter ? "gngf" : "gnconv", "order", 2, "kernel_size", 7, "proj_out", true)));
  }

  /**
   * Reads the reference's constructor arguments; absent ones have its defaults.
   *
   * @throws WeightsException if an argument is missing, of a wrong type, unknown, or asks for what the reference cannot
   *   do
   */
  public static HorFpnConfig of(Map<String, ?> arguments) {
    Arguments args = new Arguments("HorFPN configuration", arguments);
    List<Integer> in = args.integers("in_channels");
    int out = args.integer("out_channels", PUBLISHED_CHANNELS);
    boolean batchNorm = type(args, "norm_cfg", "BN");
    HorFpnConfig config = new HorFpnConfig(in, out, args.integer("num_outs", in.size()), args.integer("start_level", 0),
        GnConvModule.Options.of(args.nested("gn_conv_cfg"), 7).config(List.of(out), out), batchNorm,
        batchNorm && !args.flag("no_norm_on_lateral", false), type(args, "act_cfg", "ReLU"));
    args.require(Boolean.FALSE.equals(args.get("add_extra_convs", false)) && args.integer("end_level", -1) == -1,
        "extra levels are subsampled, not convolved, and all levels to the last are used; leave add_extra_convs and"
            + " end_level out");
    args.ignore(List.of("relu_before_extra_convs", "upsample_cfg"));
    args.finish();
    return config;
  }

  /** Whether the layer {@code name} describes is there; there is only one kind of it. */
  private static boolean type(Arguments args, String name, String kind) {
    Arguments layer = args.nested(name);
    args.require(layer.isEmpty() || kind.equals(layer.get("type", null)), name + " can be of type " + kind);
    return !layer.isEmpty();
  }

  @Override
  public HorFpn load(ParameterSource source, Backend backend) {
    Naming naming = Naming.ofPart("HorFPN", source, "neck.", "lateral_convs.0.conv.weight");
    return new HorFpn(this, new Parameters(naming), backend);
  }

  /** Levels that have a convolution of their own. */
  int levels() {
    return in.size() - startLevel;
  }
}
