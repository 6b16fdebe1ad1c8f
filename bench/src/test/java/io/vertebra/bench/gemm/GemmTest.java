package io.vertebra.bench.gemm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.bench.GemmBench;
import io.vertebra.bench.kernel.Kernel;
import io.vertebra.bench.kernel.RatioTable;
import io.vertebra.bench.measure.Agreement;
import io.vertebra.tensor.Precision;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.openjdk.jmh.annotations.Param;

class GemmTest {
  /**
   * Sums of up to 3072 products in fp32, in whatever order: the relative error of random sums grows like the root of
   * that times 2^-24.
   */
  private static final double TOLERANCE = 1e-5;

  static Stream<String> shapes() {
    return Stream.concat(Stream.of(benchmarked()),
        Stream.of("m13k37n21 bias gelu residual", "m13k37n21 silu", "m1k1n1"));
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void librariesAgree(String text) {
    agree(text, Precision.FP32, TOLERANCE);
    agree(text, Precision.BF16, GemmTable.BF16_TOLERANCE);
  }

  private static void agree(String text, Precision precision, double tolerance) {
    GemmData data = GemmData.of(GemmShape.parse(text));
    try (Kernel ours = VertebraGemm.of(data, 2, precision); Kernel theirs = new OneDnnGemm(data, 2, precision)) {
      assertThat(RatioTable.disagreement(ours, theirs)).isLessThan(tolerance);
    }
  }

  @Test
  void bothComputeTheProduct() {
    GemmShape shape = GemmShape.parse("m13k37n21 bias residual");
    GemmData data = GemmData.of(shape);
    try (Kernel ours = VertebraGemm.of(data, 1, Precision.FP32);
        Kernel theirs = new OneDnnGemm(data, 1, Precision.FP32)) {
      float[] expected = product(data);
      for (Kernel gemm : List.of(ours, theirs)) {
        gemm.reset();
        gemm.run();
        assertThat(Agreement.relativeError(gemm.output(), expected)).isLessThan(TOLERANCE);
      }
    }
  }

  private static float[] product(GemmData data) {
    GemmShape shape = data.shape();
    float[] out = new float[shape.m() * shape.n()];
    for (int i = 0; i < out.length; i++) {
      int row = i / shape.n();
      int column = i % shape.n();
      double sum = data.bias()[column] + data.residual()[i];
      for (int j = 0; j < shape.k(); j++) {
        sum += (double) data.a()[row * shape.k() + j] * data.weights()[column * shape.k() + j];
      }
      out[i] = (float) sum;
    }
    return out;
  }

  @Test
  void benchmarkHasAllShapesOfSwinTiny() {
    assertThat(benchmarked()).containsExactlyElementsOf(
        GemmTable.shapes(List.of("swin_tiny_patch4_window7_224")).stream().map(GemmShape::toString).toList());
  }

  private static String[] benchmarked() {
    try {
      return GemmBench.class.getField("shape").getAnnotation(Param.class).value();
    } catch (NoSuchFieldException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void refusesOtherText() {
    assertThatThrownBy(() -> GemmShape.parse("96x96")).hasMessageContaining("m3136k96n384 bias gelu")
        .hasMessageContaining("96x96");
  }
}
