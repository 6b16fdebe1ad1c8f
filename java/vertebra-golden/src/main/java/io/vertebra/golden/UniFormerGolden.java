package io.vertebra.golden;

import io.vertebra.backbone.uniformer.UniFormerConfig;
import io.vertebra.backbone.uniformer.UniFormerConfig.Kind;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.RecoverTokens;
import io.vertebra.program.op.RowMap;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.Json;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.WeightsException;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/** UniFormers. Maps are channels first. */
record UniFormerGolden(UniFormerConfig config) implements GoldenModel {
  private static final Pattern MAP = Pattern.compile("patch_embed\\d|blocks\\d\\.\\d+|stage\\d|out\\d|norm");

  /** The light video models differ in their layer scales alone. */
  private static final Map<String, Kind> KINDS = Map.of("image", Kind.IMAGE, "token_labeling", Kind.TOKEN_LABELING,
      "video", Kind.VIDEO, "dense", Kind.DENSE, "pose", Kind.POSE, "light", Kind.LIGHT, "light_dense", Kind.LIGHT_DENSE,
      "light_video", Kind.LIGHT_VIDEO, "light_video_fp32", Kind.LIGHT_VIDEO, "light_video_ls", Kind.LIGHT_VIDEO);

  static Optional<GoldenModel> of(Metadata metadata) {
    if (!"uniformer".equals(metadata.get("family"))) {
      return Optional.empty();
    }
    String name = metadata.required("kind");
    if (!KINDS.containsKey(name)) {
      throw new WeightsException(metadata.file() + " has kind " + name + "; known are " + KINDS.keySet());
    }
    Map<String, Object> arguments = Json.parseObject(metadata.required("config"));
    if (name.equals("light_video_ls")) {
      arguments.put("layer_scale", true);
    }
    return Optional.of(new UniFormerGolden(UniFormerConfig.of(arguments, KINDS.get(name))));
  }

  @Override
  public Consumer<Recorder> load(ParameterSource formula, Backend backend) {
    return config.load(formula, backend)::forward;
  }

  @Override
  public Tensor tensor(Unfused model, String name) {
    return switch (name) {
      // It follows the mean here.
      case "norm" -> model.record(model.call("pooled").op(), model.in("mean"));
      case "logits_aux" -> model.out("aux_head");
      case "logits_cls" -> model.product("head");
      case "cls_token3", "cls_token4" -> {
        Tensor after = ((RecoverTokens) model.last("blocks" + name.charAt(9)).op()).after();
        int rows = after.shape().dim(1);
        yield model.gather(after, RowMap.of(after.shape().dim(0), 1, image -> image * rows));
      }
      case "global_attn4" -> model.out(model.last("blocks4").name().replace("recover", "score"));
      default -> model.named(name);
    };
  }

  @Override
  public boolean channelsFirst(String tensor) {
    return MAP.matcher(tensor).matches();
  }
}
