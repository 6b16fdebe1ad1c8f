package io.vertebra.demo;

import io.vertebra.Model;
import io.vertebra.image.Image;
import io.vertebra.tensor.VertebraException;
import io.vertebra.weights.Safetensors;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Small models trained on handwritten digits (MNIST), with some images they were not trained on: real weights and known
 * answers. All have ten classes and take 32 x 32 pixels.
 */
public final class Digits {
  private static final String PREFIX = "digits-";
  private static final List<String> FAMILIES = List.of("swin", "coatnet", "uniformer", "hornet", "conformer");

  private Digits() {}

  /** What the models are called, {@code digits-swin} first. */
  public static List<String> names() {
    return FAMILIES.stream().map(family -> PREFIX + family).toList();
  }

  /** @throws IllegalArgumentException if {@code name} is none of {@link #names} */
  public static Model.Builder named(String name) {
    if (!names().contains(name)) {
      throw new IllegalArgumentException(
          "no digits model is called " + name + "; there are " + String.join(", ", names()));
    }
    return model(name.substring(PREFIX.length()));
  }

  /** A Swin Transformer. */
  public static Model.Builder swin() {
    return model("swin");
  }

  /** A CoAtNet. */
  public static Model.Builder coatnet() {
    return model("coatnet");
  }

  /** A Conformer. */
  public static Model.Builder conformer() {
    return model("conformer");
  }

  /** A HorNet, with global filters in two of its stages. */
  public static Model.Builder hornet() {
    return model("hornet");
  }

  /** A UniFormer. */
  public static Model.Builder uniformer() {
    return model("uniformer");
  }

  private static Model.Builder model(String family) {
    String file = family + ".safetensors";
    return Model.builder().name(PREFIX + family)
        .weights(() -> Safetensors.of("digits/" + file, ByteBuffer.wrap(resource(file))));
  }

  /** File names of the images, {@code NUMBER_DIGIT.png}. */
  public static List<String> sampleNames() {
    return new String(resource("samples/index.txt"), StandardCharsets.UTF_8).lines().toList();
  }

  /** @param name one of {@link #sampleNames} */
  public static Image sample(String name) {
    return Image.read(resource("samples/" + name), name);
  }

  private static byte[] resource(String name) {
    try (InputStream in = Digits.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new IllegalArgumentException("there is no demo file " + name);
      }
      return in.readAllBytes();
    } catch (IOException e) {
      throw new VertebraException("cannot read demo file " + name + "", e);
    }
  }
}
