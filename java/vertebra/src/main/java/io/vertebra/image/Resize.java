package io.vertebra.image;

/** How big an image is made before its centre is cut out. Sizes are rounded as the published evaluations round them. */
public sealed interface Resize {
  /** Width an image of this size gets; may exceed an int for absurd aspect ratios. */
  long width(int width, int height);

  /** Height an image of this size gets. */
  long height(int width, int height);

  /**
   * Keeps the aspect ratio; the shorter side becomes {@code side}, the other one is rounded down (torchvision's
   * Resize).
   */
  record ShorterSide(int side) implements Resize {
    public ShorterSide {
      requirePositive(side);
    }

    @Override
    public long width(int width, int height) {
      return width <= height ? side : (long) ((double) ((long) side * width) / height);
    }

    @Override
    public long height(int width, int height) {
      return width <= height ? (long) ((double) ((long) side * height) / width) : side;
    }
  }

  /** Exactly this size, whatever the aspect ratio was. */
  record Squash(int toHeight, int toWidth) implements Resize {
    public Squash {
      requirePositive(toHeight);
      requirePositive(toWidth);
    }

    @Override
    public long width(int width, int height) {
      return toWidth;
    }

    @Override
    public long height(int width, int height) {
      return toHeight;
    }
  }

  /** Keeps the aspect ratio and covers this size; both sides are rounded, halves to even (timm's ResizeKeepRatio). */
  record Cover(int toHeight, int toWidth) implements Resize {
    public Cover {
      requirePositive(toHeight);
      requirePositive(toWidth);
    }

    private double ratio(int width, int height) {
      return Math.min((double) height / toHeight, (double) width / toWidth);
    }

    @Override
    public long width(int width, int height) {
      return (long) Math.rint(width / ratio(width, height));
    }

    @Override
    public long height(int width, int height) {
      return (long) Math.rint(height / ratio(width, height));
    }
  }

  private static void requirePositive(int size) {
    if (size < 1) {
      throw new IllegalArgumentException("a size must be at least 1: " + size);
    }
  }
}
