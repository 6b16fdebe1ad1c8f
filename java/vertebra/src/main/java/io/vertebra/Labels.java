package io.vertebra;

import io.vertebra.tensor.VertebraException;
import io.vertebra.weights.Json;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** Names of classes. */
final class Labels {
  private static final int IMAGENET_CLASSES = 1000;

  private Labels() {}

  /** The names a checkpoint's metadata states, ImageNet-1k's for 1000 classes, else the indices. */
  static List<String> of(Map<String, String> metadata, int classes) {
    if (metadata.containsKey("classes") && Json.parse(metadata.get("classes")) instanceof List<?> stated
        && stated.size() == classes) {
      return stated.stream().map(String::valueOf).toList();
    }
    if (classes == IMAGENET_CLASSES) {
      return imageNet();
    }
    return IntStream.range(0, classes).mapToObj(Integer::toString).toList();
  }

  private static List<String> imageNet() {
    try (InputStream in = Labels.class.getResourceAsStream("imagenet-1k.txt")) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().filter(line -> !line.startsWith("#"))
          .toList();
    } catch (IOException e) {
      throw new VertebraException("cannot read the ImageNet class names from the library's jar", e);
    }
  }
}
