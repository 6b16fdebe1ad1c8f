package io.vertebra.image;

/**
 * How a part of one axis is resampled, in the fixed point of Pillow's {@code Resample.c}: output i is
 * {@code (sum over t of in[first[i] + t] * weights[i * taps + t] + 2^21) >> 22}, clamped to 0..255. Immutable.
 */
public final class Resampling {
  private static final int WEIGHT_BITS = 22;
  /** Weights are handed to kernels in two parts, the lower one of this many bits. */
  private static final int LOW_BITS = 11;
  private static final int GROUP = 4;
  /** Weights of an axis; the longest sides that are read, brought to common sizes, need a tenth of this. */
  private static final long MAX_WEIGHTS = 1 << 26;

  private final int[] first;
  private final int[] weights;
  private final int taps;

  private Resampling(int[] first, int[] weights, int taps) {
    this.first = first;
    this.weights = weights;
    this.taps = taps;
  }

  /**
   * The outputs {@code begin} to {@code begin + count} of an axis resized from {@code from} to {@code to} samples.
   * Outputs outside 0 to {@code to} are padding: all their weights are zero.
   */
  public static Resampling of(int from, int to, Filter filter, int begin, int count) {
    double scale = (double) from / to;
    double widening = Math.max(scale, 1);
    double support = filter.support() * widening;
    double inverse = 1 / widening;
    double[] centres = new double[count];
    int[] first = new int[count];
    int[] end = new int[count];
    int longest = 0;
    for (int i = 0; i < count; i++) {
      int inside = Math.max(0, Math.min(to - 1, begin + i));
      centres[i] = (inside + 0.5) * scale;
      // Where the length stays, the filter is one tap of 1 among zeros.
      first[i] = from == to ? inside : Math.max(0, (int) (centres[i] - support + 0.5));
      end[i] = from == to ? inside + 1 : Math.min(from, (int) (centres[i] + support + 0.5));
      longest = Math.max(longest, end[i] - first[i]);
    }
    int taps = (longest + GROUP - 1) / GROUP * GROUP;
    if ((long) count * taps > MAX_WEIGHTS) {
      throw new ImageException("resizing a side of " + from + " pixels to " + to + " and taking " + count
          + " of it would need " + (long) count * taps + " weights");
    }
    int[] weights = new int[count * taps];
    double[] window = new double[longest];
    for (int i = 0; i < count; i++) {
      if (begin + i < 0 || begin + i >= to) {
        continue;
      }
      int length = end[i] - first[i];
      double sum = 0;
      for (int t = 0; t < length; t++) {
        window[t] = filter.weight((t + first[i] - centres[i] + 0.5) * inverse);
        sum += window[t];
      }
      for (int t = 0; t < length; t++) {
        double weight = sum == 0 ? window[t] : window[t] / sum;
        weights[i * taps + t] = (int) (weight * (1 << WEIGHT_BITS) + (weight < 0 ? -0.5 : 0.5));
      }
    }
    return new Resampling(first, weights, taps);
  }

  public int count() {
    return first.length;
  }

  /** Weights an output has, a multiple of 4, zeros at the end included. */
  public int taps() {
    return taps;
  }

  /** Index of an output's first input; ascending. */
  public int first(int output) {
    return first[output];
  }

  /** Weight of a tap, with 22 fractional bits; zero where there is no input. */
  public int weight(int output, int tap) {
    return weights[output * taps + tap];
  }

  /** A sum of weighted samples as a sample. */
  public static byte rounded(int sum) {
    return (byte) Math.max(0, Math.min(255, sum + (1 << WEIGHT_BITS - 1) >> WEIGHT_BITS));
  }

  public int[] firstToArray() {
    return first.clone();
  }

  /** {@code [count, taps]}. */
  public int[] weightsToArray() {
    return weights.clone();
  }

  /** {@code [count, taps]}: groups of four weights as {@code vtb_preprocess_args} in vertebra.h wants them. */
  public int[] packedWeights() {
    int[] packed = new int[weights.length];
    int lowMask = (1 << LOW_BITS) - 1;
    for (int i = 0; i < weights.length; i += GROUP) {
      for (int pair = 0; pair < 2; pair++) {
        int even = weights[i + 2 * pair];
        int odd = weights[i + 2 * pair + 1];
        packed[i + pair] = even >> LOW_BITS & 0xffff | odd >> LOW_BITS << 16;
        packed[i + 2 + pair] = even & lowMask | (odd & lowMask) << 16;
      }
    }
    return packed;
  }
}
