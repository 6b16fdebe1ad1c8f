package io.vertebra.image;

/**
 * The recipe from an 8-bit RGB image to a model's input: resize, cut out the centre, normalise. Channel c of a sample v
 * becomes {@code (v / 255 - mean[c]) / std[c]}, three fp32 operations. With Pillow's filters this is, bit for bit, what
 * the published evaluations do (torchvision's transforms on PIL images).
 *
 * @param height of the centre cut out, which is the model's input
 * @param width of the centre cut out
 */
public record Preprocessing(Resize resize, Filter filter, int height, int width, Channels mean, Channels std) {
  /** A longer side is refused: the weights of one output alone would fill megabytes. */
  private static final int MAX_SIDE = 1 << 20;

  /** Most floats of one image: a direct buffer cannot be longer. */
  private static final int MAX_FLOATS = Integer.MAX_VALUE / Float.BYTES;

  /** A value for each of red, green and blue, on the scale where white is 1. */
  public record Channels(float red, float green, float blue) {
    /** Channels 0, 1 and 2. */
    public float get(int channel) {
      return channel == 0 ? red : channel == 1 ? green : blue;
    }
  }

  public static final Channels IMAGENET_MEAN = new Channels(0.485f, 0.456f, 0.406f);
  public static final Channels IMAGENET_STD = new Channels(0.229f, 0.224f, 0.225f);
  /** Inception's mean and standard deviation both. */
  public static final Channels INCEPTION = new Channels(0.5f, 0.5f, 0.5f);

  /**
   * What happens to an image of a certain size.
   *
   * @param width of the resized image
   * @param height of the resized image
   * @param left column of the resized image where the crop begins; negative if the crop is wider, and then black on
   *   both sides
   * @param top row of the resized image where the crop begins; negative if the crop is higher
   */
  public record Layout(int width, int height, int left, int top) {}

  public Preprocessing {
    if (height < 1 || width < 1 || (long) height * width * 3 > MAX_FLOATS) {
      throw new IllegalArgumentException("no input size: height " + height + ", width " + width);
    }
    for (int channel = 0; channel < 3; channel++) {
      if (!Float.isFinite(mean.get(channel)) || !Float.isFinite(std.get(channel)) || std.get(channel) <= 0) {
        throw new IllegalArgumentException("mean must be finite and std positive: " + mean + ", " + std);
      }
    }
  }

  /**
   * The official repositories' rule: shorter side to 256/224 of the crop (256 for 224), centre crop; bicubic, ImageNet
   * normalisation.
   */
  public static Preprocessing official(int crop) {
    return centerCrop((int) (256.0 / 224 * crop), crop);
  }

  /** Shorter side to {@code side}, then the centre {@code crop} x {@code crop}; bicubic, ImageNet normalisation. */
  public static Preprocessing centerCrop(int side, int crop) {
    return new Preprocessing(new Resize.ShorterSide(side), Filter.BICUBIC, crop, crop, IMAGENET_MEAN, IMAGENET_STD);
  }

  /** Both sides to {@code size}, nothing cut; bicubic, ImageNet normalisation. */
  public static Preprocessing squash(int size) {
    return new Preprocessing(new Resize.Squash(size, size), Filter.BICUBIC, size, size, IMAGENET_MEAN, IMAGENET_STD);
  }

  /** timm's rule for crop mode "center" and a square input. */
  public static Preprocessing timm(int size, double cropFraction) {
    return timm(size, size, cropFraction);
  }

  /**
   * timm's rule for crop mode "center": the crop is {@code cropFraction} of the resized image. For an input that is not
   * square timm resizes by another rule, and always bilinearly. ImageNet normalisation.
   */
  public static Preprocessing timm(int height, int width, double cropFraction) {
    if (!(cropFraction > 0 && cropFraction <= 1)) {
      throw new IllegalArgumentException("the crop fraction must be above 0 and at most 1: " + cropFraction);
    }
    int coverHeight = (int) (height / cropFraction);
    int coverWidth = (int) (width / cropFraction);
    if (height == width) {
      return centerCrop(coverHeight, height);
    }
    return new Preprocessing(new Resize.Cover(coverHeight, coverWidth), Filter.BILINEAR, height, width, IMAGENET_MEAN,
        IMAGENET_STD);
  }

  /** The same with another normalisation. */
  public Preprocessing normalised(Channels newMean, Channels newStd) {
    return new Preprocessing(resize, filter, height, width, newMean, newStd);
  }

  /** The same with another filter. */
  public Preprocessing filtered(Filter newFilter) {
    return new Preprocessing(resize, newFilter, height, width, mean, std);
  }

  /** Floats of one preprocessed image. */
  public int elements() {
    return height * width * 3;
  }

  /**
   * Where the crop of an image lies.
   *
   * @throws ImageException if a side is over 1,048,576 pixels or the image is so narrow that resizing would make it so
   *   long
   */
  public Layout layout(int imageWidth, int imageHeight) {
    long toWidth = resize.width(imageWidth, imageHeight);
    long toHeight = resize.height(imageWidth, imageHeight);
    if (Math.max(imageWidth, imageHeight) > MAX_SIDE || Math.max(toWidth, toHeight) > Integer.MAX_VALUE) {
      throw new ImageException("an image of " + imageWidth + " x " + imageHeight
          + " pixels is too long to be resized; sides may have " + MAX_SIDE);
    }
    return new Layout((int) toWidth, (int) toHeight, cropStart((int) toWidth, width),
        cropStart((int) toHeight, height));
  }

  /**
   * torchvision's: a surplus is halved with Python's rounding, halves to even; a lack is padded, the odd pixel at the
   * end.
   */
  private static int cropStart(int size, int crop) {
    return size >= crop ? (int) Math.rint((size - crop) / 2.0) : -((crop - size) / 2);
  }

  /** How the columns of an image are resampled. */
  public Resampling columns(int imageWidth, Layout layout) {
    return Resampling.of(imageWidth, layout.width(), filter, layout.left(), width);
  }

  /** How the rows of an image are resampled. */
  public Resampling rows(int imageHeight, Layout layout) {
    return Resampling.of(imageHeight, layout.height(), filter, layout.top(), height);
  }

  /** {@code [3, 256]}: what a sample of a channel becomes. */
  public float[] normalisedSamples() {
    float[] table = new float[3 * 256];
    for (int i = 0; i < table.length; i++) {
      table[i] = (i % 256 / 255f - mean.get(i / 256)) / std.get(i / 256);
    }
    return table;
  }
}
