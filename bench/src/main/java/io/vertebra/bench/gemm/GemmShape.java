package io.vertebra.bench.gemm;

import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.Epilogue;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.Op;
import io.vertebra.tensor.Shape;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One matrix product, {@code out[m, n] = epilogue(a[m, k] . w[n, k]^T)}.
 *
 * @param bias adds a bias by column
 * @param activation is applied then
 * @param residual then adds what {@code out} held before
 */
public record GemmShape(int m, int k, int n, boolean bias, Activation activation, boolean residual) {
  private static final Pattern FORM
      = Pattern.compile("m(\\d+)k(\\d+)n(\\d+)( bias)?(?: (gelu|relu|silu|sigmoid|tanh))?( residual)?");

  /**
   * Reads the form that {@link #toString} writes: {@code m3136k96n384 bias gelu}.
   *
   * @throws IllegalArgumentException for anything else
   */
  public static GemmShape parse(String text) {
    Matcher matcher = FORM.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException("a GEMM is written like \"m3136k96n384 bias gelu\" or "
          + "\"m3136k96n96 bias residual\", not \"" + text + "\"");
    }
    int m = Integer.parseInt(matcher.group(1));
    int k = Integer.parseInt(matcher.group(2));
    int n = Integer.parseInt(matcher.group(3));
    Activation activation = matcher.group(5) == null ? Activation.IDENTITY
        : Activation.valueOf(matcher.group(5).toUpperCase(Locale.ROOT));
    return new GemmShape(m, k, n, matcher.group(4) != null, activation, matcher.group(6) != null);
  }

  /** The product in a model's step; empty for other steps. */
  public static Optional<GemmShape> of(Call call) {
    return call.accept(SHAPE);
  }

  private static final Op.Selection<Optional<GemmShape>> SHAPE = new Op.Selection<>() {
    @Override
    public Optional<GemmShape> linear(Linear op, Call call) {
      Shape weights = op.weights().shape();
      Epilogue epilogue = op.epilogue();
      return Optional.of(new GemmShape(op.rows().count(call.in().shape()), weights.dim(1), weights.dim(0),
          epilogue.bias() != null, epilogue.activation(), epilogue.residual() != null));
    }

    @Override
    public Optional<GemmShape> otherwise(Call call) {
      return Optional.empty();
    }
  };

  /** A multiply-add counts 2; the epilogue is not counted. */
  public double flops() {
    return 2.0 * m * k * n;
  }

  @Override
  public String toString() {
    return "m" + m + "k" + k + "n" + n + (bias ? " bias" : "")
        + (activation == Activation.IDENTITY ? "" : " " + activation.name().toLowerCase(Locale.ROOT))
        + (residual ? " residual" : "");
  }
}
