package io.vertebra.image;

/** Resampling filters of Pillow; they widen when an image shrinks, so nothing aliases. */
public enum Filter {
  /** The triangle, support 1. */
  BILINEAR(1),
  /** Keys' cubic convolution with a = -0.5, support 2 (OpenCV and torch tensors use -0.75, a different filter). */
  BICUBIC(2);

  private final int support;

  Filter(int support) {
    this.support = support;
  }

  int support() {
    return support;
  }

  /** The weight at a distance from the centre, evaluated in Pillow's order of operations. */
  double weight(double distance) {
    double t = Math.abs(distance);
    if (t >= support) {
      return 0;
    }
    if (this == BILINEAR) {
      return 1 - t;
    }
    return t < 1 ? (1.5 * t - 2.5) * t * t + 1 : (((t - 5) * t + 8) * t - 4) * -0.5;
  }
}
