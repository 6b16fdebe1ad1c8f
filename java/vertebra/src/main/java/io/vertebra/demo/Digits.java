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
 * A small Swin Transformer trained on handwritten digits (MNIST), with some images it was not trained on: real weights and
 * known answers that come with the library.
 */
public final class Digits {
  private Digits() {}

  /** The model; ten classes, 32 x 32 pixels. */
  public static Model.Builder swin() {
    return Model.builder().name("digits").weights(Safetensors.of("digits/swin.safetensors", ByteBuffer.wrap(resource("swin.safetensors"))));
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
