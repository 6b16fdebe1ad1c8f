package io.vertebra.bench.gemm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.bench.Agreement;
import io.vertebra.bench.GemmBench;
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
    return Stream.concat(GemmShape.swinTiny().stream().map(GemmShape::toString),
        Stream.of("m13k37n21 bias gelu residual", "m1k1n1"));
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void librariesAgree(String text) {
    GemmShape shape = GemmShape.parse(text);
    try (GemmData data = new GemmData(shape);
         Gemm ours = new VertebraGemm(data, 2);
         Gemm theirs = new OneDnnGemm(data, 2)) {
      assertThat(GemmTable.disagreement(ours, theirs)).isLessThan(TOLERANCE);
    }
  }

  @Test
  void bothComputeTheProduct() {
    GemmShape shape = GemmShape.parse("m13k37n21 bias residual");
    try (GemmData data = new GemmData(shape);
         Gemm ours = new VertebraGemm(data, 1);
         Gemm theirs = new OneDnnGemm(data, 1)) {
      float[] expected = product(data);
      for (Gemm gemm : List.of(ours, theirs)) {
        gemm.reset();
        gemm.run();
        assertThat(Agreement.relativeError(gemm.output(), expected)).isLessThan(TOLERANCE);
      }
    }
  }

  private static float[] product(GemmData data) {
    GemmShape shape = data.shape;
    float[] out = new float[shape.m() * shape.n()];
    for (int i = 0; i < out.length; i++) {
      long row = i / shape.n();
      long column = i % shape.n();
      double sum = data.bias.get(column) + data.residual[i];
      for (int j = 0; j < shape.k(); j++) {
        sum += (double) data.a.get(row * shape.k() + j) * data.weights.get(column * shape.k() + j);
      }
      out[i] = (float) sum;
    }
    return out;
  }

  @Test
  void benchmarkHasAllShapesOfSwinTiny() throws NoSuchFieldException {
    String[] parameters = GemmBench.class.getField("shape").getAnnotation(Param.class).value();
    assertThat(parameters).containsExactlyElementsOf(GemmShape.swinTiny().stream().map(GemmShape::toString).toList());
  }

  @Test
  void refusesOtherText() {
    assertThatThrownBy(() -> GemmShape.parse("96x96"))
        .hasMessageContaining("m3136k96n384 bias gelu").hasMessageContaining("96x96");
  }
}
