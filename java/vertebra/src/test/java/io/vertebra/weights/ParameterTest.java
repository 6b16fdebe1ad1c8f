package io.vertebra.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.tensor.DType;
import io.vertebra.tensor.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ParameterTest {

  private static Parameter parameter(DType dtype, int elements, Consumer<ByteBuffer> fill) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(elements * dtype.bytes()).order(ByteOrder.LITTLE_ENDIAN);
    fill.accept(bytes);
    return new Parameter("block.weight", Shape.of(elements), dtype, bytes::rewind);
  }

  @Test
  void readsFp32BitForBit() {
    float[] values = {1.5f, -0f, Float.MIN_VALUE, Float.MAX_VALUE, Float.NEGATIVE_INFINITY, Float.NaN, 0.1f};
    assertThat(Parameter.of("x", Shape.of(7), values).toFloats()).isEqualTo(values);
    double[] widened = {1.5, -0.0, 0x1p-149, 0x1.fffffep127, Double.NEGATIVE_INFINITY, Double.NaN, 0.1f};
    assertThat(Parameter.of("x", Shape.of(7), values).toDoubles()).isEqualTo(widened);
  }

  @Test
  void readsFp64ExactlyAndRoundsItToFp32() {
    double[] values = {Math.PI, -1e300, 1e-50, -0.0, 1 + 0x1p-24, 1 + 0x1.8p-23};
    Parameter parameter = parameter(DType.F64, values.length, bytes -> bytes.asDoubleBuffer().put(values));
    assertThat(parameter.toDoubles()).isEqualTo(values);
    assertThat(parameter.toFloats())
        .isEqualTo(new float[] {(float) Math.PI, Float.NEGATIVE_INFINITY, 0f, -0f, 1f, 1 + 0x1p-22f});
  }

  /** All 65,536 halves against the definition of binary16. */
  @Test
  void readsEveryFp16() {
    Parameter parameter = parameter(DType.F16, 1 << 16, ParameterTest::fillWithAllPatterns);
    float[] values = parameter.toFloats();
    double[] doubles = parameter.toDoubles();
    for (int bits = 0; bits < values.length; bits++) {
      int exponent = bits >> 10 & 31;
      int fraction = bits & 1023;
      double sign = bits >> 15 == 0 ? 1 : -1;
      double expected;
      if (exponent == 31) {
        expected = fraction == 0 ? sign * Double.POSITIVE_INFINITY : Double.NaN;
      } else if (exponent == 0) {
        expected = sign * fraction * 0x1p-24;
      } else {
        expected = sign * (1 + fraction / 1024.0) * Math.pow(2, exponent - 15);
      }
      if (Double.compare(values[bits], expected) != 0 || Double.compare(doubles[bits], expected) != 0) {
        throw new AssertionError(Integer.toHexString(bits) + " gave " + values[bits] + ", not " + expected);
      }
    }
  }

  /** All 65,536 bfloat16 values against the definition. */
  @Test
  void readsEveryBf16() {
    float[] values = parameter(DType.BF16, 1 << 16, ParameterTest::fillWithAllPatterns).toFloats();
    for (int bits = 0; bits < values.length; bits++) {
      int exponent = bits >> 7 & 255;
      int fraction = bits & 127;
      double sign = bits >> 15 == 0 ? 1 : -1;
      double expected;
      if (exponent == 255) {
        expected = fraction == 0 ? sign * Double.POSITIVE_INFINITY : Double.NaN;
      } else if (exponent == 0) {
        expected = sign * fraction * 0x1p-133;
      } else {
        expected = sign * (1 + fraction / 128.0) * Math.pow(2, exponent - 127);
      }
      if (Double.compare(values[bits], expected) != 0) {
        throw new AssertionError(Integer.toHexString(bits) + " gave " + values[bits] + ", not " + expected);
      }
    }
  }

  private static void fillWithAllPatterns(ByteBuffer bytes) {
    for (int bits = 0; bits < 1 << 16; bits++) {
      bytes.putShort((short) bits);
    }
  }

  @Test
  void readsIntegers() {
    assertThat(parameter(DType.I64, 2, b -> b.putLong(Long.MIN_VALUE).putLong(7)).toLongs())
        .containsExactly(Long.MIN_VALUE, 7);
    assertThat(parameter(DType.I32, 2, b -> b.putInt(-5).putInt(1 << 30)).toLongs()).containsExactly(-5, 1 << 30);
    assertThat(parameter(DType.I16, 2, b -> b.putShort((short) -5).putShort((short) 300)).toLongs()).containsExactly(-5,
        300);
    assertThat(parameter(DType.I8, 2, b -> b.put((byte) -5).put((byte) 5)).toLongs()).containsExactly(-5, 5);
    assertThat(parameter(DType.U8, 2, b -> b.put((byte) 251).put((byte) 5)).toLongs()).containsExactly(251, 5);
    assertThat(parameter(DType.BOOL, 2, b -> b.put((byte) 1).put((byte) 0)).toLongs()).containsExactly(1, 0);
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void refusesTheWrongKindOfTypeByName(DType dtype) {
    Parameter parameter = parameter(dtype, 3, bytes -> bytes.put(0, (byte) 1));
    if (dtype.isFloat()) {
      assertThatThrownBy(parameter::toLongs).isInstanceOf(WeightsException.class)
          .hasMessage("parameter block.weight is " + dtype + ", but must be an integer type");
    } else {
      assertThatThrownBy(parameter::toFloats).isInstanceOf(WeightsException.class)
          .hasMessage("parameter block.weight is " + dtype + ", but must be floating point");
      assertThatThrownBy(parameter::toDoubles).isInstanceOf(WeightsException.class);
    }
  }

  @Test
  void dataIsADirectReadOnlyViewFromPositionZero() {
    ByteBuffer bytes = ByteBuffer.allocateDirect(12).putInt(0, 1).position(4);
    ByteBuffer data = new Parameter("x", Shape.of(2), DType.F32, () -> bytes).data();
    assertThat(data.isDirect()).isTrue();
    assertThat(data.isReadOnly()).isTrue();
    assertThat(data.order()).isEqualTo(ByteOrder.LITTLE_ENDIAN);
    assertThat(data.position()).isZero();
    assertThat(data.remaining()).isEqualTo(8);
  }

  @Test
  void refusesDataOfTheWrongSize() {
    Parameter parameter = new Parameter("x", Shape.of(2), DType.F32, () -> ByteBuffer.allocateDirect(7));
    assertThatThrownBy(parameter::data).isInstanceOf(IllegalStateException.class).hasMessageContaining("x");
    assertThatThrownBy(() -> Parameter.of("x", Shape.of(3), new float[2])).isInstanceOf(IllegalArgumentException.class);
  }
}
