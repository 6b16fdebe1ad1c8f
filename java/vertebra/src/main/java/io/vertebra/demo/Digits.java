package io.vertebra.demo;

import io.vertebra.Model;
import io.vertebra.VertebraException;
import io.vertebra.image.Image;
import io.vertebra.weights.Safetensors;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Small models trained on handwritten digits (MNIST), with some images they were not trained on: real weights and known answers that come with
 * the library. All have ten classes and take 32 x 32 pixels.
 */
public final class Digits {
  private Digits() {}

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
    return Model.builder().name("digits").weights(Safetensors.of("digits/" + file, ByteBuffer.wrap(resource(file))));
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
      throw new VertebraException("cannot read demo file " + name + " from the library's jar", e);
    }
  }
}
