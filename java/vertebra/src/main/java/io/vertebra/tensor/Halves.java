package io.vertebra.tensor;

/**
 * The two types of 16 bits, as the bits of a {@code short}: IEEE 754 binary16, and bf16, the upper half of binary32.
 */
public final class Halves {
  private static final float HALF_UNIT = 0.5f;

  private Halves() {}

  public static float fromF16(short half) {
    int magnitude = (half & 0x7FFF) << 13;
    // Exponent and fraction sit where binary32 has them, the bias being 112 short; the product makes up for it, also
    // for subnormals.
    int bits = magnitude < 0x7C00 << 13 ? Float.floatToRawIntBits(Float.intBitsToFloat(magnitude) * 0x1p112f)
        : magnitude | 0x7F800000;
    return Float.intBitsToFloat(bits | (half & 0x8000) << 16);
  }

  /** Rounded to nearest, ties to even; infinite from 65520 on. */
  public static short toF16(float value) {
    int bits = Float.floatToRawIntBits(value);
    int sign = bits >>> 16 & 0x8000;
    int magnitude = bits & 0x7FFFFFFF;
    if (magnitude >= 0x47800000) {
      return (short) (sign | (magnitude > 0x7F800000 ? 0x7E00 : 0x7C00));
    }
    if (magnitude < 0x38800000) {
      // Numbers from 0.5 to 1 are as far apart as subnormals are, so that the addition rounds.
      float shifted = Float.intBitsToFloat(magnitude) + HALF_UNIT;
      return (short) (sign | Float.floatToRawIntBits(shifted) - Float.floatToRawIntBits(HALF_UNIT));
    }
    int rounded = magnitude + 0xFFF + (magnitude >>> 13 & 1);
    return (short) (sign | rounded - 0x38000000 >>> 13);
  }

  public static float fromBf16(short half) {
    return Float.intBitsToFloat(half << 16);
  }

  /** Rounded to nearest, ties to even. */
  public static short toBf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if ((bits & 0x7FFFFFFF) > 0x7F800000) {
      return (short) (bits >>> 16 | 0x40);
    }
    return (short) (bits + 0x7FFF + (bits >>> 16 & 1) >>> 16);
  }
}
