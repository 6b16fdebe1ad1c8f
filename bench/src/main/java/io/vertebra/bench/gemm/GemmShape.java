package io.vertebra.bench.gemm;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One matrix product, {@code out[m, n] = epilogue(a[m, k] . w[n, k]^T)}.
 *
 * @param bias adds a bias by column
 * @param gelu then applies the exact GELU
 * @param residual then adds what {@code out} held before
 */
public record GemmShape(int m, int k, int n, boolean bias, boolean gelu, boolean residual) {
  private static final Pattern FORM = Pattern.compile("m(\\d+)k(\\d+)n(\\d+)( bias)?( gelu)?( residual)?");

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
    return new GemmShape(m, k, n, matcher.group(4) != null, matcher.group(5) != null, matcher.group(6) != null);
  }

  /** The distinct products of Swin-T for one 224x224 image, in the order they run. */
  public static List<GemmShape> swinTiny() {
    List<GemmShape> shapes = new ArrayList<>(List.of(new GemmShape(3136, 48, 96, true, false, false)));
    int rows = 3136;
    for (int width = 96; width <= 768; width *= 2) {
      shapes.add(new GemmShape(rows, width, 3 * width, true, false, false));
      shapes.add(new GemmShape(rows, width, width, true, false, true));
      shapes.add(new GemmShape(rows, width, 4 * width, true, true, false));
      shapes.add(new GemmShape(rows, 4 * width, width, true, false, true));
      if (width < 768) {
        rows /= 4;
        shapes.add(new GemmShape(rows, 4 * width, 2 * width, false, false, false));
      }
    }
    shapes.add(new GemmShape(1, 768, 1000, true, false, false));
    return shapes;
  }

  /** A multiply-add counts 2; the epilogue is not counted. */
  public double flops() {
    return 2.0 * m * k * n;
  }

  @Override
  public String toString() {
    return "m" + m + "k" + k + "n" + n + (bias ? " bias" : "") + (gelu ? " gelu" : "") + (residual ? " residual" : "");
  }
}
