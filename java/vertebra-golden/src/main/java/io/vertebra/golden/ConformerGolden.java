package io.vertebra.golden;

import io.vertebra.backbone.conformer.ConformerConfig;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.Epilogue;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.Sum;
import io.vertebra.program.op.Sum.Term;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.Json;
import io.vertebra.weights.ParameterSource;
import java.util.Optional;
import java.util.function.Consumer;

/** Conformers, recognised by the reference a file names. Maps are channels first, tokens are not. */
record ConformerGolden(ConformerConfig config) implements GoldenModel {

  static Optional<GoldenModel> of(Metadata metadata) {
    String reference = metadata.get("reference");
    if (reference == null || !reference.contains("Conformer")) {
      return Optional.empty();
    }
    ConformerConfig config
        = ConformerConfig.of(Json.parseObject(metadata.required("config")), reference.contains("mmdet"));
    // Padding changes nothing at sizes the official model accepts; files with others were made with it.
    return Optional.of(new ConformerGolden(config.withPadding()));
  }

  @Override
  public Consumer<Recorder> load(ParameterSource formula, Backend backend) {
    return config.load(formula, backend)::forward;
  }

  @Override
  public Tensor tensor(Unfused model, String name) {
    String part = name.contains(".") ? name.substring(0, name.indexOf('.') + 1) : "";
    String attention = part.startsWith("conv_trans_") ? part + "trans_block" : part.replace(".", "");
    return switch (name.substring(part.length())) {
      case "stem" -> model.out("maxpool");
      case "stem_padded" -> model.out(model.has("pad") ? "pad" : "maxpool");
      case "cls" -> tokens(model.last(attention).out(), model, true);
      case "tokens" -> tokens(model.last(attention).out(), model, false);
      case "cnn_block.x2" -> model.out(part + "cnn_block.conv2");
      case "cnn_block.x" -> model.out(part + "cnn_block.conv3");
      case "squeeze_block.tokens" -> model.out(part + "squeeze_block.gelu");
      case "expand_block" -> {
        // The residual of the product that adds it, row by row.
        Call sum = model.call(part + "fusion_block.conv1");
        Epilogue epilogue = model.linear(sum.name()).epilogue();
        yield model.record(Sum.of(Term.of(epilogue.residual(), epilogue.residualRows())), epilogue.residual(),
            sum.out().shape());
      }
      case "conv" -> model.out(part + "fusion_block.conv3");
      case "trans_pooled" -> model.out("trans_norm");
      case "trans_logits" -> model.out("trans_cls_head");
      case "conv_logits" -> model.product("conv_cls_head");
      default -> model.named(name);
    };
  }

  /** The class tokens, first of every image's, or the others. */
  private static Tensor tokens(Tensor all, Unfused model, boolean classes) {
    int tokens = all.shape().dim(1);
    int patches = tokens - 1;
    int batch = all.shape().dim(0);
    return model.gather(all, classes ? RowMap.of(batch, 1, image -> image * tokens)
        : RowMap.of(batch * patches, 1, patch -> patch / patches * tokens + 1 + patch % patches));
  }

  @Override
  public boolean channelsFirst(String tensor) {
    return !tensor.endsWith("tokens") && !tensor.endsWith("cls") && !tensor.endsWith("pooled")
        && !tensor.endsWith("logits");
  }
}
