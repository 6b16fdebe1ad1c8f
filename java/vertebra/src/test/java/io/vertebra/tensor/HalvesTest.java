package io.vertebra.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HalvesTest {
  private interface Decode {
    float of(short half);
  }

  private interface Encode {
    short of(float value);
  }

  @Test
  void everyHalfSurvivesAndMidpointsGoToTheEvenOne() {
    check(Halves::fromF16, Halves::toF16, 0x7C00);
    check(Halves::fromBf16, Halves::toBf16, 0x7F80);
  }

  private static void check(Decode decode, Encode encode, int infinity) {
    for (int bits = 0; bits <= 0xFFFF; bits++) {
      float value = decode.of((short) bits);
      if ((bits & 0x7FFF) > infinity) {
        assertThat(value).isNaN();
        assertThat(decode.of(encode.of(value))).isNaN();
        continue;
      }
      assertThat(encode.of(value)).isEqualTo((short) bits);
      if ((bits & 0x7FFF) + 1 < infinity) {
        // Its larger neighbour, and what lies between them: exact in binary32.
        float next = decode.of((short) (bits + 1));
        float middle = (float) ((value + (double) next) / 2);
        short even = (short) (bits % 2 == 0 ? bits : bits + 1);
        assertThat(encode.of(middle)).isEqualTo(even);
        assertThat(encode.of(Math.nextAfter(middle, value))).isEqualTo((short) bits);
        assertThat(encode.of(Math.nextAfter(middle, next))).isEqualTo((short) (bits + 1));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"65504, 65504", "65519.99, 65504", "65520, Infinity", "1e9, Infinity", "-Infinity, -Infinity",
    "2.9e-8, 0", "3e-8, 5.9604645e-8", "1e-40, 0"})
  void f16AtItsLimits(float value, float stored) {
    assertThat(Halves.fromF16(Halves.toF16(value))).isEqualTo(stored);
  }

  @ParameterizedTest
  @CsvSource({"3.3895314e38, 3.3895314e38", "3.4028235e38, Infinity", "Infinity, Infinity"})
  void bf16AtItsLimits(float value, float stored) {
    assertThat(Halves.fromBf16(Halves.toBf16(value))).isEqualTo(stored);
  }
}
