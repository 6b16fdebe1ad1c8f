package io.vertebra.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.tensor.DType;
import io.vertebra.tensor.Shape;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class FormulaWeightsTest {
  private static final BigInteger TWO_64 = BigInteger.ONE.shiftLeft(64);

  /** u(name, i) in exact arithmetic, written down from the definition. */
  private static double u(String name, long i) {
    BigInteger hash = new BigInteger("CBF29CE484222325", 16);
    for (byte b : name.getBytes(StandardCharsets.UTF_8)) {
      hash = hash.xor(BigInteger.valueOf(b & 0xFF)).multiply(new BigInteger("100000001B3", 16)).mod(TWO_64);
    }
    BigInteger z = hash.add(BigInteger.valueOf(i + 1).multiply(new BigInteger("9E3779B97F4A7C15", 16))).mod(TWO_64);
    z = z.xor(z.shiftRight(30)).multiply(new BigInteger("BF58476D1CE4E5B9", 16)).mod(TWO_64);
    z = z.xor(z.shiftRight(27)).multiply(new BigInteger("94D049BB133111EB", 16)).mod(TWO_64);
    z = z.xor(z.shiftRight(31));
    return z.shiftRight(40).doubleValue() / (1 << 23) - 1;
  }

  static Stream<Arguments> rules() {
    return Stream.of(rule("layers.0.norm.running_var", u -> 1 + 0.5 * u, 5),
        rule("layers.0.norm.running_mean", u -> 0.1 * u, 5), rule("blocks.3.gamma", u -> 0.5 + 0.1 * u, 7),
        rule("gamma_2", u -> 0.5 + 0.1 * u, 3, 4), rule("filter.complex_weight", u -> 0.5 * u, 3, 4, 3, 2),
        rule("layers.1.attn.relative_position_bias_table", u -> 0.5 * u, 9, 2),
        rule("layers.0.blocks.1.attn.qkv.weight", u -> u * Math.sqrt(3.0 / 7), 5, 7),
        rule("patch_embed.proj.weight", u -> u * Math.sqrt(3.0 / 48), 4, 3, 4, 4),
        rule("norm.weight", u -> 1 + 0.1 * u, 9), rule("head.bias", u -> 0.1 * u, 10),
        rule("cls_token", u -> 0.2 * u, 1, 1, 6), rule("weights.bias_table", u -> 0.2 * u, 2, 2),
        rule("größe.pos_embed", u -> 0.2 * u, 1, 3));
  }

  private static Arguments rule(String name, DoubleUnaryOperator value, int... shape) {
    return Arguments.of(name, value, Shape.of(shape));
  }

  @ParameterizedTest
  @MethodSource("rules")
  void followsTheRuleOfTheName(String name, DoubleUnaryOperator value, Shape shape) {
    Parameter parameter = new FormulaWeights().find(name, shape);
    assertThat(parameter.name()).isEqualTo(name);
    assertThat(parameter.shape()).isEqualTo(shape);
    assertThat(parameter.dtype()).isEqualTo(DType.F32);
    float[] values = parameter.toFloats();
    for (int i = 0; i < values.length; i++) {
      assertThat(values[i]).isEqualTo((float) value.applyAsDouble(u(name, i)));
    }
  }

  @Test
  void countsBatchesAsZero() {
    Parameter parameter = new FormulaWeights().find("bn.num_batches_tracked", Shape.of(1));
    assertThat(parameter.dtype()).isEqualTo(DType.I64);
    assertThat(parameter.toLongs()).containsExactly(0);
  }

  @Test
  void equalsAtEveryIndexOfALargeParameter() {
    String name = "layers.3.mlp.fc1.weight";
    float[] values = new FormulaWeights().find(name, Shape.of(1001, 999)).toFloats();
    for (int i = 0; i < values.length; i += i % 2 == 0 ? 1023 : 1) {
      assertThat(values[i]).isEqualTo((float) (u(name, i) * Math.sqrt(3.0 / 999)));
    }
    assertThat(values[values.length - 1]).isEqualTo((float) (u(name, values.length - 1) * Math.sqrt(3.0 / 999)));
  }

  @Test
  void scalesByEveryExpressionFoundInTheName() {
    Map<String, Double> scale = new LinkedHashMap<>();
    scale.put("(bn\\d|\\.bn)\\.weight$", 0x1p-8);
    scale.put("proj", 0.5);
    scale.put("^weight", 4.0);
    FormulaWeights scaled = new FormulaWeights(scale);
    Shape shape = Shape.of(11);
    assertScaled(scaled, "proj.bn1.weight", shape, 0x1p-9f);
    assertScaled(scaled, "proj.bn1.weights", shape, 0.5f);
    assertScaled(scaled, "a.bias", shape, 1);
  }

  private static void assertScaled(FormulaWeights scaled, String name, Shape shape, float factor) {
    float[] plain = new FormulaWeights().find(name, shape).toFloats();
    float[] values = scaled.find(name, shape).toFloats();
    for (int i = 0; i < values.length; i++) {
      assertThat(values[i]).isEqualTo(plain[i] * factor);
    }
  }

  @Test
  void addsAWaveOverTimeToClips() {
    int[] dims = {2, 3, 4, 5, 6};
    float[] clip = FormulaWeights.input("clip", Shape.of(dims));
    int i = 0;
    for (int n = 0; n < 2; n++) {
      for (int c = 0; c < 3; c++) {
        for (int t = 0; t < 4; t++) {
          for (int h = 0; h < 5; h++) {
            for (int w = 0; w < 6; w++, i++) {
              double x = 0.5 * Math.sin(0.11 * (c + 1) * h + 0.7 * n) * Math.cos(0.13 * (c + 1) * w)
                  + 0.5 * u("clip", i) + 0.3 * Math.sin(0.5 * t);
              // One rounding to fp32 of values whose fp64 sines may differ in their last bits.
              assertThat(Math.abs(clip[i] - x)).isLessThanOrEqualTo(0x1p-24 * Math.max(Math.abs(x), 0x1p-20));
            }
          }
        }
      }
    }
    assertThatThrownBy(() -> FormulaWeights.input("row", Shape.of(3, 4))).isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("[N, C, H, W]");
  }

  @Test
  void listsNothing() {
    FormulaWeights weights = new FormulaWeights();
    assertThat(weights.names()).isEmpty();
    assertThat(weights.metadata()).isEmpty();
    assertThat(weights.describe()).isEqualTo("formula");
    float[] first = weights.find("a.bias", Shape.of(100)).toFloats();
    assertThat(Arrays.equals(first, weights.find("b.bias", Shape.of(100)).toFloats())).isFalse();
  }
}
