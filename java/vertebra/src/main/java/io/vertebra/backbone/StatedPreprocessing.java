package io.vertebra.backbone;

import io.vertebra.image.Filter;
import io.vertebra.image.Preprocessing;
import io.vertebra.image.Preprocessing.Channels;
import io.vertebra.image.Resize;
import io.vertebra.tensor.VertebraException;
import io.vertebra.weights.Json;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** What a checkpoint's metadata says about how images become input. */
public final class StatedPreprocessing {
  /** timm's share of the resized image that is kept, where nothing else is said. */
  private static final double TIMM_CROP = 0.875;

  private StatedPreprocessing() {}

  /**
   * {@code published} with what a checkpoint's metadata states under timm's names: {@code input_size} (a side, or
   * [channels, height, width]), {@code crop_pct}, {@code crop_mode} (center, squash), {@code interpolation} (bilinear,
   * bicubic), {@code mean} and {@code std} (JSON arrays).
   *
   * @throws VertebraException if an entry cannot be understood
   */
  public static Preprocessing of(Preprocessing published, Map<String, String> metadata) {
    Preprocessing recipe = published;
    InputSize size = metadata.containsKey("input_size") ? InputSize.stated(metadata)
        : new InputSize(published.height(), published.width());
    boolean resized = size.width != published.width() || size.height != published.height();
    if (resized || metadata.containsKey("crop_pct") || metadata.containsKey("crop_mode")) {
      boolean squash = metadata.containsKey("crop_mode") && choice(metadata, "crop_mode", "center", "squash") == 1;
      double fraction = metadata.containsKey("crop_pct") ? number(metadata, "crop_pct") : squash ? 1 : TIMM_CROP;
      recipe = squash
          ? new Preprocessing(new Resize.Squash((int) (size.height / fraction), (int) (size.width / fraction)),
              Filter.BICUBIC, size.height, size.width, published.mean(), published.std())
          : Preprocessing.timm(size.height, size.width, fraction).normalised(published.mean(), published.std());
    }
    // timm does not pass its interpolation on to the rule for inputs that are not square.
    if (metadata.containsKey("interpolation") && !(recipe.resize() instanceof Resize.Cover)) {
      recipe = recipe.filtered(Filter.values()[choice(metadata, "interpolation", "bilinear", "bicubic")]);
    }
    return recipe.normalised(channels(metadata, "mean", published.mean()), channels(metadata, "std", published.std()));
  }

  private record InputSize(int height, int width) {
    static InputSize stated(Map<String, String> metadata) {
      Object value = Json.parse(metadata.get("input_size"));
      List<?> sides
          = value instanceof List<?> list && list.size() == 3 ? list.subList(1, 3) : Arrays.asList(value, value);
      if (sides.get(0) instanceof Integer height && sides.get(1) instanceof Integer width && Math.min(height, width) > 0
          && Math.max(height, width) <= Arguments.MAX_SIDE) {
        return new InputSize(height, width);
      }
      throw unusable(metadata, "input_size",
          "a side, or channels, height and width, of at most " + Arguments.MAX_SIDE + " pixels");
    }
  }

  private static double number(Map<String, String> metadata, String key) {
    if (Json.parse(metadata.get(key)) instanceof Number value && value.doubleValue() > 0 && value.doubleValue() <= 1) {
      return value.doubleValue();
    }
    throw unusable(metadata, key, "a number above 0 and at most 1");
  }

  /** Index of the alternative named. */
  private static int choice(Map<String, String> metadata, String key, String... alternatives) {
    int index = List.of(alternatives).indexOf(metadata.get(key));
    if (index < 0) {
      throw unusable(metadata, key, "one of " + List.of(alternatives));
    }
    return index;
  }

  private static Channels channels(Map<String, String> metadata, String key, Channels otherwise) {
    if (!metadata.containsKey(key)) {
      return otherwise;
    }
    if (Json.parse(metadata.get(key)) instanceof List<?> list && list.size() == 3 && list.get(0) instanceof Number red
        && list.get(1) instanceof Number green && list.get(2) instanceof Number blue) {
      return new Channels(red.floatValue(), green.floatValue(), blue.floatValue());
    }
    throw unusable(metadata, key, "a list of three numbers");
  }

  private static VertebraException unusable(Map<String, String> metadata, String key, String wanted) {
    return new VertebraException("the checkpoint's metadata says " + key + " = " + metadata.get(key) + "; wanted is "
        + wanted + ". Give the model a Preprocessing of your own instead");
  }
}
