package io.vertebra.golden;

import io.vertebra.backbone.Matrix;
import io.vertebra.backbone.RelativePositions;
import io.vertebra.backbone.coatnet.CoAtNetConfig;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Affine;
import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Size;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.Json;
import io.vertebra.weights.ParameterSource;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** CoAtNets: all maps are channels first. */
record CoAtNetGolden(CoAtNetConfig config) implements GoldenModel {
  private static final Pattern BLOCK = Pattern.compile("(stages\\.\\d+\\.blocks\\.\\d+\\.)(.+)");

  static Optional<GoldenModel> of(Metadata metadata) {
    return "coatnet".equals(metadata.get("model"))
        ? Optional.of(new CoAtNetGolden(CoAtNetConfig.of(Json.parseObject(metadata.required("config")))))
        : Optional.empty();
  }

  @Override
  public Consumer<Recorder> load(ParameterSource formula, Backend backend) {
    return config.load(formula, backend)::forward;
  }

  @Override
  public Tensor tensor(Unfused model, String name) {
    Matcher inBlock = BLOCK.matcher(name);
    if (inBlock.matches()) {
      String block = inBlock.group(1);
      return model.has(block + "attn") ? inTransformer(model, block, inBlock.group(2))
          : inConvolution(model, block, inBlock.group(2));
    }
    return switch (name) {
      case "stem.conv1" -> model.before(batchNorm(model, "stem.norm1", "stem.conv1"), model.product("stem.conv1"));
      case "stem.norm1" -> model.out("stem.conv1");
      // A batch norm follows the mean here.
      case "norm" -> model.has("mean") ? model.record(model.call("norm").op(), model.in("mean")) : model.out("norm");
      case "head_norm" -> model.rows("head.pre_logits");
      case "pre_logits" -> model.out("head.pre_logits");
      default -> model.named(name);
    };
  }

  private Tensor inConvolution(Unfused model, String block, String name) {
    String conv1 = block + "conv1_1x1";
    String conv2 = block + "conv2_kxk";
    boolean early = config.conv().earlyExcitation();
    return switch (name) {
      case "shortcut" -> model.linear(block + "conv3_1x1").epilogue().residual();
      case "pre_norm" -> preNorm(model, block, model.input(part(block)));
      case "down" -> preNorm(model, block, model.in(conv1));
      case "conv1_1x1" -> model.before(batchNorm(model, block + "norm1", conv1), model.product(conv1));
      case "norm1" -> model.out(conv1);
      case "conv2_kxk" -> {
        Tensor convolved
            = model.record(model.op(conv2, DepthwiseConv.class).activation(Activation.IDENTITY), model.in(conv2));
        yield early ? convolved : model.before(batchNorm(model, block + "norm2", conv2), convolved);
      }
      case "norm2" -> model.out(early ? block + "se" : conv2);
      case "se_early" -> {
        Affine excitation = model.op(block + "se", Affine.class);
        yield model.record(Affine.of(null, null).factor(excitation.factor()), model.in(block + "se"));
      }
      case "conv3_1x1" -> model.product(block + "conv3_1x1");
      default -> model.named(block + name);
    };
  }

  /** The first norm of a block, which is folded unless an activation or a maximum follows it. */
  private Tensor preNorm(Unfused model, String block, Tensor x) {
    String name = block + "pre_norm";
    if (model.has(name)) {
      return x == model.in(name) ? model.out(name) : x;
    }
    return model.affine(Matrix.Affine.batchNorm(model.parameters, name, x.shape().channels(), config.conv().eps()), x);
  }

  private Tensor inTransformer(Unfused model, String block, String name) {
    String qkv = block + "attn.qkv";
    return switch (name) {
      case "shortcut" -> model.linear(block + "attn.proj").epilogue().residual();
      case "norm1" -> model.rows(qkv);
      case "attn.qkv" -> model.channels(model.out(qkv), fromCheckpointOrder(model, block), null);
      case "attn" -> model.product(block + "attn.proj");
      case "attn.bias" -> model.attentionBias(block + "attn");
      case "attn.rel_pos.relative_position_index" -> model.constant(RelativePositions.index(map(model, qkv)));
      case "attn.rel_pos.rel_coords_log" -> model.constant(logarithms(map(model, qkv)));
      case "norm2" -> model.rows(block + "mlp.fc1");
      case "mlp" -> model.product(block + "mlp.fc2");
      default -> model.named(block + name);
    };
  }

  /** For every channel of the published qkv where it is in ours. */
  private int[] fromCheckpointOrder(Unfused model, String block) {
    int[] published = config.transformer().checkpointRows(model.op(block + "attn", WindowAttention.class).heads());
    int[] places = new int[published.length];
    for (int i = 0; i < places.length; i++) {
      places[published[i]] = i;
    }
    return places;
  }

  private Matrix.Affine batchNorm(Unfused model, String name, String behind) {
    return Matrix.Affine.batchNorm(model.parameters, name, model.out(behind).shape().channels(), config.conv().eps());
  }

  private static Size map(Unfused model, String qkv) {
    Shape map = model.in(qkv).shape();
    return new Size(map.dim(1), map.dim(2));
  }

  /** {@code sign(d) log(1 + |d|)} of both distances d of every offset on a map. */
  private static float[] logarithms(Size map) {
    int width = 2 * map.columns() - 1;
    float[] values = new float[(2 * map.rows() - 1) * width * 2];
    for (int i = 0; i < values.length; i++) {
      int distance = i % 2 == 0 ? i / 2 / width - map.rows() + 1 : i / 2 % width - map.columns() + 1;
      values[i] = (float) Math.copySign(Math.log1p(Math.abs(distance)), distance);
    }
    return values;
  }

  private static String part(String block) {
    return block.substring(0, block.length() - 1);
  }

  @Override
  public boolean channelsFirst(String tensor) {
    return true;
  }
}
