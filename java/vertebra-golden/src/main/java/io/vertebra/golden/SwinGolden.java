package io.vertebra.golden;

import io.vertebra.backbone.RelativePositions;
import io.vertebra.backbone.swin.SwinCheckpoint;
import io.vertebra.backbone.swin.SwinConfig;
import io.vertebra.backbone.swin.SwinConfig.Behaviour;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.RegionMask;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Size;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.Json;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.WeightsException;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Swin Transformers. Official and timm tensors are tokens, channels last; the dense backbone's maps are channels first.
 */
record SwinGolden(SwinConfig config, boolean timmNames) implements GoldenModel {
  private static final Pattern BLOCK = Pattern.compile("(layers\\.(\\d{1,3})\\.blocks\\.\\d+\\.)(.+)");

  static Optional<GoldenModel> of(Metadata metadata) {
    if (!"swin".equals(metadata.get("model")) || "resize".equals(metadata.get("behaviour"))) {
      return Optional.empty();
    }
    String name = metadata.required("behaviour");
    try {
      Behaviour behaviour = Behaviour.valueOf(name.toUpperCase(Locale.ROOT));
      SwinConfig config = SwinConfig.of(Json.parseObject(metadata.required("config")), behaviour);
      return Optional.of(new SwinGolden(config, "timm".equals(metadata.get("weight_names"))));
    } catch (IllegalArgumentException e) {
      throw new WeightsException(
          metadata.file() + " has behaviour " + name + "; known are official, dense, timm and resize", e);
    }
  }

  @Override
  public Consumer<Recorder> load(ParameterSource formula, Backend backend) {
    // Formula weights under timm's names are asked for by the official ones.
    ParameterSource named
        = timmNames ? (name, expected) -> formula.find(SwinCheckpoint.timmName(name), expected) : formula;
    return config.load(named, backend)::forward;
  }

  @Override
  public Tensor tensor(Unfused model, String name) {
    Matcher inBlock = BLOCK.matcher(name);
    if (inBlock.matches()) {
      return inBlock(model, inBlock.group(1), Integer.parseInt(inBlock.group(2)), inBlock.group(3));
    }
    return name.startsWith("merge") ? model.out("layers." + name.substring("merge".length()) + ".downsample.reduction")
        : name.endsWith(".downsample.concat") ? concatenated(model, name.replace("concat", "reduction"))
            : model.named(name);
  }

  private Tensor inBlock(Unfused model, String block, int stage, String name) {
    String qkv = block + "attn.qkv";
    return switch (name) {
      case "norm1" -> model.record(LayerNorm.of(model.linear(qkv).rows().norm()), model.in(qkv));
      case "attn.in" -> model.rows(qkv);
      case "attn.relative_position_index" -> {
        Shape map = model.in(qkv).shape();
        yield model.constant(RelativePositions.index(config.window(stage, new Size(map.dim(1), map.dim(2)))));
      }
      case "attn.bias" -> model.attentionBias(block + "attn");
      case "attn_mask" -> model.constant(expanded(model.op(block + "attn", WindowAttention.class).mask()));
      case "attn" -> model.product(block + "attn.proj");
      case "mlp" -> model.product(block + "mlp.fc2");
      default -> model.named(block + name);
    };
  }

  /** -100 for every pair of tokens of a window that are of two regions, {@code [windows, tokens, tokens]}. */
  private static float[] expanded(RegionMask mask) {
    int tokens = mask.tokens();
    float[] values = new float[mask.windows() * tokens * tokens];
    for (int i = 0; i < values.length; i++) {
      int window = i / (tokens * tokens);
      values[i] = mask.label(window, i / tokens % tokens) == mask.label(window, i % tokens) ? 0 : -100;
    }
    return values;
  }

  private static Tensor concatenated(Unfused model, String reduction) {
    return model.gather(model.in(reduction), model.linear(reduction).rows().map());
  }

  @Override
  public boolean channelsFirst(String tensor) {
    return config.behaviour() == Behaviour.DENSE && (tensor.equals("patch_embed") || tensor.startsWith("out"));
  }
}
